// SPDX-License-Identifier: Apache-2.0
// ManualClock: time stands still until the test moves it.
#pragma once

#include "base/clock.h"

namespace fairlead::testing {

// Not thread-safe.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime steady() const override { return steady_; }
  [[nodiscard]] WallTime wall() const override { return wall_; }

  void advance(std::chrono::steady_clock::duration duration) {
    steady_ += duration;
    wall_ += std::chrono::duration_cast<WallTime::duration>(duration);
  }

 private:
  SteadyTime steady_{std::chrono::hours(1000)};
  WallTime wall_{std::chrono::hours(500'000)};
};

}  // namespace fairlead::testing
