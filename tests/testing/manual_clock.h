// SPDX-License-Identifier: Apache-2.0
// ManualClock: time stands still until the test moves it.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace fairlead::testing {

// Thread-safe.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime steady() const override {
    return SteadyTime(std::chrono::hours(1000) + passed_.load());
  }
  [[nodiscard]] WallTime wall() const override {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(
        std::chrono::hours(500'000) + passed_.load() + jumped_.load()));
  }

  void advance(std::chrono::nanoseconds duration) { passed_ = passed_.load() + duration; }
  // The wall clock is set anew.
  void jump(std::chrono::nanoseconds by) { jumped_ = jumped_.load() + by; }

 private:
  std::atomic<std::chrono::nanoseconds> passed_{};
  std::atomic<std::chrono::nanoseconds> jumped_{};
};

}  // namespace fairlead::testing
