// SPDX-License-Identifier: Apache-2.0
// Broadcast: wakes every coroutine that waits for a change, on whatever worker it lives.
//
// It carries no value: the waiter looks at the shared state itself, before and after.
//
//   for (;;) {
//     const auto seen = changed.version();   // first the version,
//     if (state_is_as_wanted()) break;       // then the state: no wake-up is lost
//     if (!co_await changed.wait(seen, deadline)) return timed_out();
//   }
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "async/task.h"

namespace fairlead::async {

// Thread-safe. Must outlive its waiters.
class Broadcast {
 public:
  Broadcast();
  ~Broadcast();
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;

  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // Wakes all waiters, each on its own executor. The state must have been changed before.
  void notify_all();

  // Returns true once version() differs from `seen`, false when `deadline` passes first.
  Task<bool> wait(std::uint64_t seen, std::chrono::steady_clock::time_point deadline);

 private:
  struct Waiter;

  std::atomic<std::uint64_t> version_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace fairlead::async
