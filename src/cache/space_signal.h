// SPDX-License-Identifier: Apache-2.0
// SpaceSignal: fills tell by it that the store has grown, or that the disk is full; who keeps
// house waits for that, and has told what the store may hold.
#pragma once

#include <atomic>
#include <cstdint>

#include "async/broadcast.h"
#include "cache/size_limit.h"

namespace fairlead::cache {

// Thread-safe.
class SpaceSignal {
 public:
  void grew() { changed_.notify_all(); }

  // The disk did not take `bytes` more.
  void is_full(std::uint64_t bytes) {
    std::uint64_t wanted = wanted_.load();
    while (wanted < bytes && !wanted_.compare_exchange_weak(wanted, bytes)) {
    }
    changed_.notify_all();
  }

  // The most that the disk did not take, once.
  std::uint64_t take_wanted() { return wanted_.exchange(0); }

  [[nodiscard]] async::Broadcast& changed() { return changed_; }
  [[nodiscard]] SizeLimit& limit() { return limit_; }

 private:
  std::atomic<std::uint64_t> wanted_{0};
  async::Broadcast changed_;
  SizeLimit limit_;
};

}  // namespace fairlead::cache
