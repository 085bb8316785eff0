// SPDX-License-Identifier: Apache-2.0
#include "async/broadcast.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>
#include <vector>

#include "async/workers.h"
#include "testing/coroutine_test.h"

namespace fairlead::async {
namespace {

using std::chrono::steady_clock;
constexpr auto kNever = steady_clock::time_point::max();

class BroadcastTest : public fairlead::testing::CoroutineTest {
 protected:
  Broadcast changed_;
};

TEST_F(BroadcastTest, WakesEveryWaiter) {
  std::optional<bool> first;
  std::optional<bool> second;
  begin(changed_.wait(changed_.version(), kNever), first);
  begin(changed_.wait(changed_.version(), kNever), second);
  run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(first || second);
  changed_.notify_all();
  run_until([&] { return first && second; });
  EXPECT_TRUE(*first && *second);
}

TEST_F(BroadcastTest, AChangeBeforeTheWaitIsNotLost) {
  const auto seen = changed_.version();
  changed_.notify_all();
  EXPECT_TRUE(run(changed_.wait(seen, kNever)));
}

TEST_F(BroadcastTest, AChangeBetweenTheWaitAndItsTimerIsNotLost) {
  std::optional<bool> woken;
  begin(changed_.wait(changed_.version(), kNever), woken);
  changed_.notify_all();  // the coroutine has not run yet
  run_until([&] { return woken.has_value(); });
  EXPECT_TRUE(*woken);
}

TEST_F(BroadcastTest, TheDeadlineEndsAWaitAndTheNextOneGoesOn) {
  const auto seen = changed_.version();
  EXPECT_FALSE(run(changed_.wait(seen, steady_clock::now() + std::chrono::milliseconds(5))));
  EXPECT_FALSE(run(changed_.wait(seen, steady_clock::now() - std::chrono::seconds(1))));
  changed_.notify_all();
  EXPECT_TRUE(run(changed_.wait(seen, kNever)));
}

Task<bool> follow(Broadcast& changed, const std::atomic<int>& state, int last) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    const auto seen = changed.version();
    if (state.load() == last) co_return true;
    if (!co_await changed.wait(seen, deadline)) co_return false;
  }
}

TEST(BroadcastAcrossThreads, NoWakeUpIsLost) {
  constexpr int kLast = 2000;
  Broadcast changed;
  std::atomic<int> state{0};
  Workers workers(2);
  workers.start();
  std::vector<std::future<bool>> followers;
  for (std::size_t i = 0; i < 8; ++i) {
    followers.push_back(boost::asio::co_spawn(
        workers.executor(i % 2), follow(changed, state, kLast), boost::asio::use_future));
  }
  for (int i = 1; i <= kLast; ++i) {
    state.store(i);
    changed.notify_all();
  }
  for (auto& follower : followers) EXPECT_TRUE(follower.get());
  workers.stop();
}

}  // namespace
}  // namespace fairlead::async
