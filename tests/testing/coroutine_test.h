// SPDX-License-Identifier: Apache-2.0
// CoroutineTest: a fixture with an io_context that runs coroutines to their end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

#include "async/task.h"

namespace fairlead::testing {

class CoroutineTest : public ::testing::Test {
 protected:
  static constexpr auto kPatience = std::chrono::seconds(30);

  // Begins `task`; its result appears in the returned place, which must outlive it.
  template <class T>
  void begin(async::Task<T> task, std::optional<T>& result) {
    boost::asio::co_spawn(context_.get_executor(), std::move(task),
                          [&result](const std::exception_ptr& thrown, T value) {
                            if (thrown) std::rethrow_exception(thrown);
                            result.emplace(std::move(value));
                          });
  }

  void run_until(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!is_done()) {
      context_.restart();
      context_.run_one_for(std::chrono::milliseconds(50));
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it hangs");
    }
  }

  // Runs what is ready, and what that makes ready, for a moment.
  void run_for(std::chrono::milliseconds duration) {
    context_.restart();
    context_.run_for(duration);
  }

  template <class T>
  T run(async::Task<T> task) {
    std::optional<T> result;
    begin(std::move(task), result);
    run_until([&] { return result.has_value(); });
    return *std::move(result);
  }

  boost::asio::io_context context_{1};
};

}  // namespace fairlead::testing
