// SPDX-License-Identifier: Apache-2.0
// BlockingPool: threads for work that blocks or computes for long (hashing, fsync, directory
// scans), so that the connections of a worker never wait for it.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "async/task.h"

namespace fairlead::async {

// Thread-safe. Destruction waits for what was started, and comes before that of the workers whose
// tasks called run(): a pool thread may still be on its way out of one's io_context.
class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads) : pool_(threads) {}
  ~BlockingPool() { pool_.join(); }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` on a pool thread and resumes the caller, on its own executor, with what it
  // returned. `work` must not throw. The caller must not be abandoned meanwhile: what `work`
  // refers to lives in its frame.
  template <class Work, class T = std::invoke_result_t<Work&>>
  Task<T> run(Work work) {
    const Executor executor = co_await kThisExecutor;
    co_return co_await boost::asio::async_initiate<const boost::asio::deferred_t, void(T)>(
        [this, &executor, &work](auto handler) {
          auto guard = boost::asio::make_work_guard(executor);
          boost::asio::post(
              pool_, [&work, guard = std::move(guard), handler = std::move(handler)]() mutable {
                T value = work();
                const Executor back = guard.get_executor();
                boost::asio::post(
                    back, [handler = std::move(handler), value = std::move(value)]() mutable {
                      std::move(handler)(std::move(value));
                    });
              });
        },
        boost::asio::deferred);
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace fairlead::async
