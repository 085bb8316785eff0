// SPDX-License-Identifier: Apache-2.0
// Workers: one io_context and one thread a core. A connection lives and dies on one of them.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "async/task.h"

namespace fairlead::async {

class Workers {
 public:
  // `count` 0: one per core that this process may run on.
  explicit Workers(std::size_t count);
  ~Workers();  // stop()s
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] std::size_t size() const { return contexts_.size(); }
  [[nodiscard]] boost::asio::io_context& context(std::size_t worker) { return *contexts_[worker]; }
  [[nodiscard]] Executor executor(std::size_t worker) { return context(worker).get_executor(); }

  void start();

  // Ends the loops and joins the threads; handlers not yet run never will. Call it when every
  // TaskGroup has been joined. Not from a worker's thread.
  void stop();

 private:
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::vector<boost::asio::executor_work_guard<Executor>> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace fairlead::async
