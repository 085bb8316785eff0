// SPDX-License-Identifier: Apache-2.0
// Journal: when changes of the mirror are written to disk. It gathers the *keys* of what changed;
// its one thread takes all of them and has their present state written, so a hundred changes of
// one thing between two commits are one write, and callers never wait for the disk.
//
// Uses alone wait for `use_interval`. What could not be written stays and is tried again. What
// documents hold is kept here until it is written: the mirror has no documents.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "index/key_text.h"
#include "index/memory_index.h"

namespace fairlead::index {

// What is to be written: keys, and documents whole.
struct Changes {
  struct Document {
    std::shared_ptr<const DocumentInfo> info;
    std::uint64_t number = 0;  // in the order they came
  };
  std::unordered_set<oci::Digest> contents;
  std::unordered_set<oci::Digest> uses;        // only the last use
  std::unordered_set<std::string> tags;        // "registry\nrepository\ntag\nvariant"
  std::unordered_set<std::string> first_seen;  // "registry\nrepository\ndigest"
  TextMap<Document> documents;                 // "registry\nrepository\nname"

  [[nodiscard]] bool is_empty() const {
    return contents.empty() && uses.empty() && tags.empty() && first_seen.empty() &&
           documents.empty();
  }
};

class Journal final : public ChangeListener {
 public:
  struct Options {
    std::chrono::milliseconds use_interval{10'000};  // between two writes of uses
    std::chrono::milliseconds retry_after{5'000};    // after a failed write
    // Called by the journal's thread: with the error when writing begins to fail, and with success
    // when it goes well again.
    std::function<void(const Result<void>&)> on_health;
    std::size_t most_documents = 1024;  // that wait to be written; the oldest go
    std::size_t most_document_bytes = 64 << 20;
  };
  // Makes `changes` durable, all or nothing; called by the journal's thread, which calls nothing
  // else. May cause further changes.
  using Write = std::function<Result<void>(const Changes& changes)>;

  Journal(Options options, Write write);
  // Writes what is left, once.
  ~Journal() override;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void content_changed(const oci::Digest& digest) override;
  void content_used(const oci::Digest& digest) override;
  void tag_changed(const TagKey& key) override;
  void first_seen_added(std::string_view registry, std::string_view repository,
                        const oci::Digest& digest) override;

  void put_document(const DocumentKey& key, DocumentInfo info);
  // One that is not written yet.
  [[nodiscard]] std::shared_ptr<const DocumentInfo> document(const DocumentKey& key) const;

  // Blocks until all that changed before the call is written, or could not be.
  Result<void> flush();

 private:
  using Time = std::chrono::steady_clock::time_point;

  void run();
  void wait(std::unique_lock<std::mutex>& lock);
  // When something is to be written next; max: not before there is something.
  [[nodiscard]] Time due() const;
  Changes take(Time now);
  void put_back(Changes taken);
  void settle(const Changes& written);
  void report(const Result<void>& result);
  // Enters a key, and wakes the thread if it may be waiting for one.
  template <class Key>
  void note(std::unordered_set<Key>& keys, Key key);
  void drop_oldest_document();

  const Options options_;
  const Write write_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Changes dirty_;
  std::size_t document_bytes_ = 0;
  std::uint64_t next_document_ = 0;
  std::vector<std::promise<Result<void>>> flushes_;
  Time uses_due_{};
  Time retry_due_{};
  bool is_closing_ = false;

  bool is_failing_ = false;  // of the thread only
  std::thread thread_;       // last: it uses all of the above
};

}  // namespace fairlead::index
