// SPDX-License-Identifier: Apache-2.0
// A waiter is a timer that expires at its deadline; notifying cancels it from its own executor.
#include "async/broadcast.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "async/timer.h"

namespace fairlead::async {

struct Broadcast::Waiter {
  explicit Waiter(const Executor& executor) : timer(executor) {}
  Timer timer;
};

Broadcast::Broadcast() = default;
Broadcast::~Broadcast() = default;

void Broadcast::notify_all() {
  std::vector<std::shared_ptr<Waiter>> woken;
  {
    const std::lock_guard lock(mutex_);
    version_.fetch_add(1, std::memory_order_acq_rel);
    woken.swap(waiters_);
  }
  for (auto& waiter : woken) {
    const Executor executor = waiter->timer.get_executor();
    boost::asio::post(executor, [waiter = std::move(waiter)] { waiter->timer.cancel(); });
  }
}

Task<bool> Broadcast::wait(std::uint64_t seen, std::chrono::steady_clock::time_point deadline) {
  if (version() != seen) co_return true;
  const auto waiter = std::make_shared<Waiter>(co_await kThisExecutor);
  waiter->timer.expires_at(deadline);
  {
    const std::lock_guard lock(mutex_);
    if (version() != seen) co_return true;
    waiters_.push_back(waiter);
  }
  // notify_all() cancels through the executor this coroutine runs on, so never before the
  // wait below has begun.
  co_await waiter->timer.async_wait(kAsTuple);
  if (version() != seen) co_return true;
  const std::lock_guard lock(mutex_);
  std::erase(waiters_, waiter);
  co_return version() != seen;
}

}  // namespace fairlead::async
