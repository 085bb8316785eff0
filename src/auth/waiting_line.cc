// SPDX-License-Identifier: Apache-2.0
#include "auth/waiting_line.h"

#include <algorithm>
#include <optional>

namespace fairlead::auth {

// Somebody in the line; out of it when their coroutine goes on, or away.
class WaitingLine::Waiter {
 public:
  // Not in the line where that is full.
  explicit Waiter(WaitingLine& line) : line_(line) {
    const std::lock_guard lock(line_.mutex_);
    if (line_.waiting_.size() >= line_.max_waiting_) return;
    ticket_ = line_.next_ticket_++;
    line_.waiting_.push_back(*ticket_);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    if (!ticket_) return;
    {
      const std::lock_guard lock(line_.mutex_);
      if (std::erase(line_.waiting_, *ticket_) == 0) return;
    }
    line_.moved_.notify_all();
  }

  [[nodiscard]] std::optional<std::uint64_t> ticket() const { return ticket_; }

 private:
  WaitingLine& line_;
  std::optional<std::uint64_t> ticket_;
};

async::Task<Result<WaitingLine::Place>> WaitingLine::enter(SteadyTime deadline) {
  if (try_begin()) co_return Place(*this);
  const Waiter waiter(*this);
  if (!waiter.ticket()) co_return too_many();
  for (;;) {
    const auto seen = moved_.version();
    if (try_begin(*waiter.ticket())) co_return Place(*this);
    if (!co_await moved_.wait(seen, deadline)) co_return too_many();
  }
}

std::size_t WaitingLine::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::unexpected<Error> WaitingLine::too_many() const {
  return std::unexpected(Error{.code = Code::TooManyRequests,
                               .origin = Origin::Client,
                               .retry = Retry::Yes,
                               .context = "too many " + what_ + " at once",
                               .retry_after = std::chrono::seconds(1)});
}

// Past nobody who waits.
bool WaitingLine::try_begin() {
  const std::lock_guard lock(mutex_);
  if (working_ >= places_ || !waiting_.empty()) return false;
  ++working_;
  return true;
}

bool WaitingLine::try_begin(std::uint64_t ticket) {
  {
    const std::lock_guard lock(mutex_);
    if (working_ >= places_ || waiting_.front() != ticket) return false;
    ++working_;
    waiting_.pop_front();
  }
  moved_.notify_all();  // the next one may have a place, too
  return true;
}

void WaitingLine::leave() {
  {
    const std::lock_guard lock(mutex_);
    --working_;
  }
  moved_.notify_all();
}

}  // namespace fairlead::auth
