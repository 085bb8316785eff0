// SPDX-License-Identifier: Apache-2.0
// SizeLimit: what of content is larger than the whole cache may be, and which of it was told of.
// Every pull of such content is passed through; the log names it once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_set>

#include "cache/fingerprint.h"
#include "oci/digest.h"

namespace fairlead::cache {

// Thread-safe, save set().
class SizeLimit {
 public:
  // cache.max_size; 0: none. Before there are threads.
  void set(std::uint64_t bytes) { bytes_ = bytes; }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool is_exceeded_by(std::uint64_t size) const {
    return bytes_ > 0 && size > bytes_;
  }

  // Whether this is the first time for `digest`, as far as is remembered.
  bool is_news(const oci::Digest& digest) {
    const std::lock_guard lock(mutex_);
    if (told_.size() >= kMaxTold) told_.clear();
    return told_.insert(fingerprint(digest)).second;
  }

 private:
  static constexpr std::size_t kMaxTold = 10'000;

  std::uint64_t bytes_ = 0;
  std::mutex mutex_;
  std::unordered_set<std::uint64_t> told_;
};

}  // namespace fairlead::cache
