// SPDX-License-Identifier: Apache-2.0
// ChangedRepositories: which repositories of one registry were changed through us of late. The
// BucketRegistry of each worker remembers where things lie in the bucket; what another worker has
// pushed or deleted, it learns here.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fairlead::s3 {

// Thread-safe.
class ChangedRepositories {
 public:
  // The oldest changes are forgotten. With some hundred changes a second, what is remembered may
  // outlive one by the minute that it is remembered for.
  static constexpr std::size_t kCapacity = 16'384;

  using Position = std::uint64_t;  // behind so many changes

  void note(std::string repository) {
    const std::lock_guard lock(mutex_);
    if (last_.size() == kCapacity) last_.pop_front();
    last_.push_back(std::move(repository));
    count_.fetch_add(1, std::memory_order_release);
  }

  // Those behind `position`, which is then behind all. Without a lock where there are none.
  [[nodiscard]] std::vector<std::string> since(Position& position) const {
    if (count_.load(std::memory_order_acquire) == position) return {};
    const std::lock_guard lock(mutex_);
    const Position count = count_.load(std::memory_order_relaxed);
    const auto news = static_cast<std::ptrdiff_t>(
        std::min<Position>(count - std::exchange(position, count), last_.size()));
    return {last_.end() - news, last_.end()};
  }

 private:
  std::atomic<Position> count_{0};
  mutable std::mutex mutex_;
  std::deque<std::string> last_;
};

}  // namespace fairlead::s3
