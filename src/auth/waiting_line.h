// SPDX-License-Identifier: Apache-2.0
// WaitingLine: a few may work at once, a few more may wait, in the order they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <mutex>
#include <string>
#include <utility>

#include "async/broadcast.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"

namespace fairlead::auth {

// Thread-safe. Must outlive its places and those who wait.
class WaitingLine {
 public:
  // One of those who work. Gives its place back when it goes.
  class Place {
   public:
    Place() = default;
    explicit Place(WaitingLine& line) : line_(&line) {}
    Place(Place&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (line_ != nullptr) line_->leave();
    }

   private:
    WaitingLine* line_ = nullptr;
  };

  // `what` there may be too many of, as a client is told.
  WaitingLine(std::size_t places, std::size_t max_waiting, std::string what = "logins")
      : places_(places), max_waiting_(max_waiting), what_(std::move(what)) {}

  // TooManyRequests at once when too many wait already, or when `deadline` passes first.
  async::Task<Result<Place>> enter(SteadyTime deadline);

  [[nodiscard]] std::size_t waiting() const;

 private:
  class Waiter;
  [[nodiscard]] std::unexpected<Error> too_many() const;
  bool try_begin();
  bool try_begin(std::uint64_t ticket);
  void leave();

  const std::size_t places_;
  const std::size_t max_waiting_;
  const std::string what_;
  mutable std::mutex mutex_;
  std::size_t working_ = 0;
  std::uint64_t next_ticket_ = 0;
  std::deque<std::uint64_t> waiting_;
  async::Broadcast moved_;
};

}  // namespace fairlead::auth
