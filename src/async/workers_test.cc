// SPDX-License-Identifier: Apache-2.0
// Where coroutines run: on workers, and back there from the pool.
#include "async/workers.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "async/blocking_pool.h"

namespace fairlead::async {
namespace {

struct Threads {
  std::thread::id before;
  std::thread::id work;
  std::thread::id after;
};

Task<Threads> visit(BlockingPool& pool) {
  Threads threads;
  threads.before = std::this_thread::get_id();
  auto work = [] { return std::this_thread::get_id(); };
  threads.work = co_await pool.run(work);
  threads.after = std::this_thread::get_id();
  co_return threads;
}

Task<std::unique_ptr<std::string>> make_text(BlockingPool& pool, std::string text) {
  auto work = [&text] { return std::make_unique<std::string>(text + "!"); };
  co_return co_await pool.run(work);
}

class WorkersTest : public ::testing::Test {
 protected:
  void SetUp() override { workers_.start(); }

  template <class T>
  T on(std::size_t worker, Task<T> task) {
    return boost::asio::co_spawn(workers_.executor(worker), std::move(task),
                                 boost::asio::use_future)
        .get();
  }

  Workers workers_{2};
  BlockingPool pool_{2};
};

TEST_F(WorkersTest, ACoroutineComesBackFromThePoolToItsOwnWorker) {
  const Threads first = on(0, visit(pool_));
  const Threads second = on(1, visit(pool_));
  for (const Threads& threads : {first, second}) {
    EXPECT_EQ(threads.before, threads.after);
    EXPECT_NE(threads.before, threads.work);
  }
  EXPECT_NE(first.before, second.before);
}

TEST_F(WorkersTest, ThePoolReturnsWhatCanOnlyBeMoved) {
  EXPECT_EQ(*on(0, make_text(pool_, "done")), "done!");
}

TEST_F(WorkersTest, AWorkerGoesOnWhileThePoolIsBusy) {
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  auto wait_at_gate = [opened] {
    opened.wait();
    return true;
  };
  auto blocked =
      boost::asio::co_spawn(workers_.executor(0), pool_.run(wait_at_gate), boost::asio::use_future);
  EXPECT_EQ(*on(0, make_text(pool_, "meanwhile")), "meanwhile!");
  gate.set_value();
  EXPECT_TRUE(blocked.get());
}

TEST_F(WorkersTest, StopMayBeCalledTwice) {
  workers_.stop();
  workers_.stop();
}

TEST(WorkersCount, ZeroMeansOneForEachUsableCore) { EXPECT_GE(Workers(0).size(), 1u); }

}  // namespace
}  // namespace fairlead::async
