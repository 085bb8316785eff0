// SPDX-License-Identifier: Apache-2.0
// Clock: where code that decides by time gets it from, so that tests can move it.
// Steady time for waiting, wall time for what outlives the process or is shown.
#pragma once

#include <chrono>
#include <string>

namespace fairlead {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// "2026-11-21T10:05:00Z"
std::string utc_text(WallTime time);

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
};

}  // namespace fairlead
