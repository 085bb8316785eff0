// SPDX-License-Identifier: Apache-2.0
// TaskGroup: owns the coroutines that nobody awaits, so that shutdown can.
//
// Nothing in this program is detached: a connection, a fill, a timer loop is spawned into a
// group, and whoever owns the group joins it before what its tasks refer to goes away.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>

#include "async/broadcast.h"
#include "async/task.h"

namespace fairlead::async {

// Thread-safe.
class TaskGroup {
 public:
  TaskGroup() = default;
  ~TaskGroup();  // every task must have ended
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task` on `executor`. Its coroutine must own what it uses (take values). An exception
  // that leaves it is a bug and ends the process. Returns false, and drops the task, once closed.
  bool spawn(const Executor& executor, Task<> task);

  // No task starts any more.
  void close();

  // Waits until no task runs. False when `deadline` passes first.
  Task<bool> join(std::chrono::steady_clock::time_point deadline);

  [[nodiscard]] std::size_t size() const;

 private:
  void ended();

  mutable std::mutex mutex_;
  std::size_t running_ = 0;
  bool closed_ = false;
  Broadcast idle_;
};

}  // namespace fairlead::async
