// SPDX-License-Identifier: Apache-2.0
// Fill: one content on its way from its source into the store. The file is the buffer.
//
// Exactly one Fill exists for a digest at a time (one as a blob, one as a manifest). It belongs to
// the cache, not to a connection: it writes and hashes the bytes as they come, and any number of
// readers on any worker follow in the growing file, woken as it grows. The last byte is not shown
// before the digest is verified, so nobody can complete a wrong content.
//
//   Starting -> Filling -> Committed    verified: all bytes may be read
//          \         \---> Unusable     not what the digest promised; nothing is kept
//           \--------\---> Retryable    the upstream failed; another try may go well
//                     \--> Unstorable   the disk takes no more: readers go on by themselves
//                     \--> Abandoned    shutting down
//                      \-> Superseded   it came into the store meanwhile: look there
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "async/broadcast.h"
#include "async/task.h"
#include "base/error.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "store/blob_store.h"

namespace fairlead::cache {

enum class FillState {
  Starting,
  Filling,
  Committed,
  Retryable,
  Unusable,
  Abandoned,
  Unstorable,
  Superseded,
};

// Thread-safe. One task drives it (filler.h); readers share it.
class Fill {
 public:
  Fill(oci::Digest digest, Source source)
      : digest_(std::move(digest)), source_(std::move(source)) {}

  [[nodiscard]] const oci::Digest& digest() const { return digest_; }
  [[nodiscard]] const Source& source() const { return source_; }

  // --- for readers ---

  struct Progress {
    FillState state = FillState::Starting;
    std::uint64_t available = 0;        // bytes [0, available) of file() may be read
    std::optional<std::uint64_t> size;  // of the whole; known from Filling on, if the upstream told
    int file = -1;                      // valid while this Fill lives
  };
  [[nodiscard]] Progress progress() const;

  // As the upstream gave it; from Filling on.
  [[nodiscard]] std::string media_type() const;

  // In Retryable, Unusable, Abandoned, Superseded.
  [[nodiscard]] Error error() const;

  // In Unstorable: continues the digest behind the `available` bytes.
  [[nodiscard]] oci::Hasher continued_hash() const;

  // For wait(): read it before progress().
  [[nodiscard]] std::uint64_t version() const { return changed_.version(); }

  // Until progress() may have changed; false when `deadline` passes first.
  async::Task<bool> wait(std::uint64_t seen, std::chrono::steady_clock::time_point deadline) {
    return changed_.wait(seen, deadline);
  }

  // --- for the task that drives it, in the order of the states ---

  void begin(std::optional<std::uint64_t> size, std::string media_type,
             std::unique_ptr<store::Ingest> ingest);
  void grow(std::uint64_t written);
  void verify(std::uint64_t size);  // -> Committed
  void fail(FillState state, Error error);
  void stop_storing(std::optional<std::uint64_t> size, std::string media_type,
                    std::uint64_t written, oci::Hasher hash);
  [[nodiscard]] store::Ingest& ingest() { return *ingest_; }

 private:
  const oci::Digest digest_;
  const Source source_;

  mutable std::mutex mutex_;
  Progress progress_;
  std::string media_type_;
  Error error_;
  std::optional<oci::Hasher> hash_;
  std::unique_ptr<store::Ingest> ingest_;
  async::Broadcast changed_;
};

}  // namespace fairlead::cache
