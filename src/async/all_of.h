// SPDX-License-Identifier: Apache-2.0
// all_of: runs tasks side by side on their caller's executor, and waits for all of them.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <exception>
#include <utility>
#include <vector>

#include "async/task.h"

namespace fairlead::async {

// What came of each, in the order of the tasks. What they refer to must outlive them.
template <class T>
Task<std::vector<T>> all_of(std::vector<Task<T>> tasks) {
  if (tasks.empty()) co_return std::vector<T>();
  const auto executor = co_await kThisExecutor;
  const auto start = [&executor](Task<T> task) {
    return boost::asio::co_spawn(executor, std::move(task), boost::asio::deferred);
  };
  std::vector<decltype(start(std::declval<Task<T>>()))> started;
  started.reserve(tasks.size());
  for (Task<T>& task : tasks) started.push_back(start(std::move(task)));
  auto [order, thrown, values] =
      co_await boost::asio::experimental::make_parallel_group(std::move(started))
          .async_wait(boost::asio::experimental::wait_for_all(), boost::asio::deferred);
  for (const std::exception_ptr& exception : thrown) {
    if (exception) std::rethrow_exception(exception);
  }
  co_return std::move(values);
}

}  // namespace fairlead::async
