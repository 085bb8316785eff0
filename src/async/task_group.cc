// SPDX-License-Identifier: Apache-2.0
#include "async/task_group.h"

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <exception>

namespace fairlead::async {

TaskGroup::~TaskGroup() {
  if (size() != 0) std::abort();  // a task would outlive what it refers to
}

bool TaskGroup::spawn(const Executor& executor, Task<> task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    ++running_;
  }
  boost::asio::co_spawn(executor, std::move(task), [this](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);  // out of io_context::run: ends the process
    ended();
  });
  return true;
}

void TaskGroup::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void TaskGroup::ended() {
  // The lock is held while waking: once join() sees zero, the group may be destroyed.
  const std::lock_guard lock(mutex_);
  if (--running_ == 0) idle_.notify_all();
}

Task<bool> TaskGroup::join(std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto seen = idle_.version();
    if (size() == 0) co_return true;
    if (!co_await idle_.wait(seen, deadline)) co_return size() == 0;
  }
}

std::size_t TaskGroup::size() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

}  // namespace fairlead::async
