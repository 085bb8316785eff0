// SPDX-License-Identifier: Apache-2.0
#include "async/task.h"

#include <boost/asio/basic_waitable_timer.hpp>

#include "async/timer.h"

namespace fairlead::async {

Task<> sleep_for(std::chrono::steady_clock::duration duration) {
  Timer timer(co_await kThisExecutor);
  timer.expires_after(duration);
  co_await timer.async_wait(kAsTuple);
}

}  // namespace fairlead::async
