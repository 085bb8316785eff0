// SPDX-License-Identifier: Apache-2.0
// UploadTable: the uploads that are kept (kept_uploads.h), and how many bytes they hold.
//
// Who writes to the file of an upload takes it, and gives it back after each piece: so nothing that
// blocks happens behind a lock, and what is dropped meanwhile is not taken back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "oci/digest.h"
#include "store/blob_store.h"

namespace fairlead::cache {

// What is kept of one. Its bytes are counted among those of all while it lives.
struct KeptBytes {
  explicit KeptBytes(std::shared_ptr<std::atomic<std::uint64_t>> of_all)
      : total(std::move(of_all)) {}
  ~KeptBytes() { *total -= size; }
  KeptBytes(const KeptBytes&) = delete;
  KeptBytes& operator=(const KeptBytes&) = delete;

  void count(std::uint64_t more) {
    size += more;
    *total += more;
  }

  std::unique_ptr<store::Ingest> ingest;  // null: nothing came yet
  oci::Hasher hash{oci::DigestAlgorithm::Sha256};
  std::uint64_t size = 0;
  const std::shared_ptr<std::atomic<std::uint64_t>> total;
};

// Thread-safe.
class Upload {
 public:
  Upload(std::unique_ptr<KeptBytes> kept, SteadyTime now)
      : kept_(std::move(kept)), last_use_(now) {}

  // Null: it is dropped; also when somebody else has taken it.
  std::unique_ptr<KeptBytes> take(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    last_use_ = now;
    if (!kept_) is_dropped_ = true;
    return std::move(kept_);
  }
  void give_back(std::unique_ptr<KeptBytes> kept, SteadyTime now) {
    const std::lock_guard lock(mutex_);
    last_use_ = now;
    size_ = is_dropped_ ? 0 : kept->size;
    if (!is_dropped_) kept_ = std::move(kept);
  }
  // How many bytes it held; those of one that is taken are free when it is given back.
  std::uint64_t drop() {
    std::unique_ptr<KeptBytes> gone;  // its file goes without the lock
    const std::lock_guard lock(mutex_);
    is_dropped_ = true;
    gone.swap(kept_);
    return std::exchange(size_, 0);
  }

  [[nodiscard]] bool has(std::uint64_t size) const {
    const std::lock_guard lock(mutex_);
    return kept_ && size_ == size;
  }
  // While it is written to, without what is being written.
  [[nodiscard]] std::uint64_t size() const {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  void use(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    last_use_ = now;
  }
  [[nodiscard]] SteadyTime last_use() const {
    const std::lock_guard lock(mutex_);
    return last_use_;
  }

 private:
  mutable std::mutex mutex_;
  std::unique_ptr<KeptBytes> kept_;  // null: taken or dropped
  bool is_dropped_ = false;
  std::uint64_t size_ = 0;  // when it was last given back; 0: it is dropped
  SteadyTime last_use_;
};

// Thread-safe. What drops an upload blocks.
class UploadTable {
 public:
  explicit UploadTable(std::size_t capacity) : capacity_(capacity) {}

  // Beyond the capacity, the one that was idle longest makes place.
  std::shared_ptr<Upload> find_or_add(const std::string& name, SteadyTime now);
  std::shared_ptr<Upload> find(const std::string& name);
  std::shared_ptr<Upload> extract(const std::string& name);
  void drop_before(SteadyTime last_use);

  // Of all, those included that are being written or published.
  [[nodiscard]] std::uint64_t bytes() const { return *total_; }

  // Drops those that were idle longest until they held `bytes`, or none holds any. How many bytes.
  std::uint64_t make_room(std::uint64_t bytes);

 private:
  std::shared_ptr<Upload> find_idlest_with_bytes();

  const std::size_t capacity_;
  const std::shared_ptr<std::atomic<std::uint64_t>> total_ =
      std::make_shared<std::atomic<std::uint64_t>>();
  std::mutex mutex_;
  // Those that were dropped for trouble stay until they end: they are not to begin in the middle.
  std::unordered_map<std::string, std::shared_ptr<Upload>> uploads_;
};

}  // namespace fairlead::cache
