// SPDX-License-Identifier: Apache-2.0
// SingleFlight: many coroutines need the same answer; one of them fetches it, the others wait.
//
// It remembers nothing: who comes after the answer starts a new flight. If the coroutine that
// fetches is destroyed midway, one of those who wait takes over.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "async/broadcast.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"

namespace fairlead::upstream {

// Thread-safe. Must outlive its waiters.
template <class Value>
class SingleFlight {
 public:
  // `work` returns a Task<Result<Value>>; it runs on the caller's executor, or not at all when
  // another's result serves. Timeout when the other is not done by `deadline`.
  template <class Work>
  async::Task<Result<Value>> run(Work work, SteadyTime deadline) {
    for (;;) {
      const auto [flight, is_mine] = board();
      if (is_mine) {
        Landing landing(*this, flight);
        landing.result = co_await work();
        co_return *landing.result;
      }
      for (;;) {
        const auto seen = flight->landed.version();
        if (auto outcome = look(*flight); outcome.has_landed) {
          if (outcome.result) co_return *std::move(outcome.result);
          break;  // abandoned
        }
        if (!co_await flight->landed.wait(seen, deadline)) {
          co_return upstream_error(Code::Timeout, Retry::Yes, "no answer came in time");
        }
      }
    }
  }

 private:
  struct Flight {
    bool has_landed = false;
    std::optional<Result<Value>> result;  // none after landing: abandoned
    async::Broadcast landed;
  };
  struct Outcome {
    bool has_landed = false;
    std::optional<Result<Value>> result;
  };

  // Ends the flight when its coroutine goes on, or away.
  struct Landing {
    Landing(SingleFlight& owner_, std::shared_ptr<Flight> flight_)
        : owner(owner_), flight(std::move(flight_)) {}
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;
    ~Landing() {
      {
        const std::lock_guard lock(owner.mutex_);
        flight->has_landed = true;
        flight->result = result;
        owner.current_.reset();
      }
      flight->landed.notify_all();
    }
    SingleFlight& owner;
    std::shared_ptr<Flight> flight;
    std::optional<Result<Value>> result;
  };

  std::pair<std::shared_ptr<Flight>, bool> board() {
    const std::lock_guard lock(mutex_);
    if (current_) return {current_, false};
    current_ = std::make_shared<Flight>();
    return {current_, true};
  }

  Outcome look(const Flight& flight) {
    const std::lock_guard lock(mutex_);
    return {flight.has_landed, flight.result};
  }

  std::mutex mutex_;
  std::shared_ptr<Flight> current_;
};

}  // namespace fairlead::upstream
