// SPDX-License-Identifier: Apache-2.0
// Timer: steady_timer on the concrete executor.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/wait_traits.hpp>
#include <chrono>

#include "async/task.h"

namespace fairlead::async {

using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace fairlead::async
