// SPDX-License-Identifier: Apache-2.0
#include "async/task_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <memory>

#include "async/workers.h"
#include "testing/coroutine_test.h"

namespace fairlead::async {
namespace {

using std::chrono::steady_clock;
constexpr auto kNever = steady_clock::time_point::max();

Task<> wait_for(Broadcast& gate, std::uint64_t seen) { co_await gate.wait(seen, kNever); }
Task<> count(std::atomic<int>& ended) {
  ++ended;
  co_return;
}

class TaskGroupTest : public fairlead::testing::CoroutineTest {
 protected:
  Broadcast gate_;
  TaskGroup group_;
};

TEST_F(TaskGroupTest, JoinWaitsForEveryTask) {
  ASSERT_TRUE(group_.spawn(context_.get_executor(), wait_for(gate_, gate_.version())));
  ASSERT_TRUE(group_.spawn(context_.get_executor(), wait_for(gate_, gate_.version())));
  EXPECT_EQ(group_.size(), 2u);
  std::optional<bool> joined;
  begin(group_.join(kNever), joined);
  run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(joined) << "join did not wait";
  gate_.notify_all();
  run_until([&] { return joined.has_value(); });
  EXPECT_TRUE(*joined);
  EXPECT_EQ(group_.size(), 0u);
}

TEST_F(TaskGroupTest, JoinOfAnEmptyGroupIsImmediate) { EXPECT_TRUE(run(group_.join(kNever))); }

TEST_F(TaskGroupTest, JoinTellsThatItsDeadlinePassed) {
  ASSERT_TRUE(group_.spawn(context_.get_executor(), wait_for(gate_, gate_.version())));
  EXPECT_FALSE(run(group_.join(steady_clock::now() + std::chrono::milliseconds(5))));
  gate_.notify_all();
  EXPECT_TRUE(run(group_.join(kNever)));
}

TEST_F(TaskGroupTest, AClosedGroupRefusesAndDoesNotRunTheTask) {
  std::atomic<int> ended{0};
  group_.close();
  EXPECT_FALSE(group_.spawn(context_.get_executor(), count(ended)));
  run_for(std::chrono::milliseconds(1));
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(run(group_.join(kNever)));
}

Task<> throw_something() {
  throw std::runtime_error("a bug");
  co_return;  // NOLINT: makes it a coroutine
}

TEST_F(TaskGroupTest, AnExceptionIsNotSwallowed) {
  EXPECT_THROW(
      {
        static TaskGroup* const kept = new TaskGroup;  // its task never ends
        kept->spawn(context_.get_executor(), throw_something());
        context_.restart();
        context_.run();
      },
      std::runtime_error);
}

// join() returning is the leave to destroy the group, whatever thread the last task ended on.
TEST(TaskGroupAcrossThreads, MayBeDestroyedOnceJoined) {
  Workers workers(2);
  workers.start();
  std::atomic<int> ended{0};
  for (int round = 0; round < 200; ++round) {
    auto group = std::make_unique<TaskGroup>();
    for (std::size_t i = 0; i < 4; ++i) group->spawn(workers.executor(i % 2), count(ended));
    auto joined = boost::asio::co_spawn(workers.executor(round % 2), group->join(kNever),
                                        boost::asio::use_future);
    ASSERT_TRUE(joined.get());
    group.reset();
  }
  EXPECT_EQ(ended, 800);
  workers.stop();
}

}  // namespace
}  // namespace fairlead::async
