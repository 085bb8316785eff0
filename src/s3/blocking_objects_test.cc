// SPDX-License-Identifier: Apache-2.0
#include "s3/blocking_objects.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "async/broadcast.h"
#include "testing/fake_objects.h"
#include "testing/manual_clock.h"

namespace fairlead::s3 {
namespace {

using fairlead::testing::FakeBucket;
using fairlead::testing::FakeObjects;

// Waits for `go`, then answers.
async::Task<Result<std::string>> wait_for(async::Broadcast& go, std::promise<void>& begun) {
  const auto seen = go.version();
  begun.set_value();
  std::ignore = co_await go.wait(seen, std::chrono::steady_clock::now() + std::chrono::seconds(60));
  co_return "well";
}

class BlockingObjectsTest : public ::testing::Test {
 protected:
  Result<std::string> get(const std::string& key) {
    return objects_.run<std::string>([&](Objects& objects) { return objects.get_text(key, 100); });
  }

  fairlead::testing::ManualClock clock_;
  FakeBucket bucket_{clock_};
  std::thread::id made_on_;
  BlockingObjects objects_{[this](const async::Executor&) {
    made_on_ = std::this_thread::get_id();
    return std::make_unique<FakeObjects>(bucket_);
  }};
};

TEST_F(BlockingObjectsTest, AnswersAndErrorsComeBack) {
  bucket_.put("a", {.bytes = "text"});
  EXPECT_EQ(get("a"), "text");
  const auto absent = get("b");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::NotFound);
}

TEST_F(BlockingObjectsTest, TheObjectsAreMadeAndUsedOnOneThreadThatIsNotTheCallers) {
  std::vector<std::thread::id> used_on;
  bucket_.on_call = [&](const std::string&, const std::string&) -> std::optional<Error> {
    used_on.push_back(std::this_thread::get_id());
    return std::nullopt;
  };
  std::ignore = get("a");
  std::ignore = get("b");
  EXPECT_NE(made_on_, std::this_thread::get_id());
  EXPECT_EQ(used_on, std::vector({made_on_, made_on_}));
}

TEST_F(BlockingObjectsTest, ManyThreadsAskAtOnce) {
  for (int i = 0; i < 8; ++i) {
    bucket_.put(std::to_string(i), {.bytes = "bytes of " + std::to_string(i)});
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, key = std::to_string(i)] {
      for (int n = 0; n < 200; ++n) EXPECT_EQ(get(key), "bytes of " + key);
    });
  }
  for (auto& thread : threads) thread.join();
}

// An answer that takes long does not hold up the others.
TEST_F(BlockingObjectsTest, CallsAreUnderWayAtTheSameTime) {
  async::Broadcast go;
  std::promise<void> begun;
  auto slow = std::async(std::launch::async, [&] {
    return objects_.run<std::string>([&](Objects&) { return wait_for(go, begun); });
  });
  begun.get_future().wait();
  bucket_.put("a", {.bytes = "text"});
  EXPECT_EQ(get("a"), "text");
  go.notify_all();
  EXPECT_EQ(slow.get(), "well");
}

TEST_F(BlockingObjectsTest, WhatIsAskedOnceClosedIsCancelledAndNotDone) {
  objects_.close();
  const auto late = get("a");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::Cancelled);
  EXPECT_TRUE(bucket_.calls().empty());
  objects_.close();
}

TEST_F(BlockingObjectsTest, WhatIsUnderWayWhenItIsClosedIsCancelledWhateverCameOfIt) {
  async::Broadcast go;
  std::promise<void> begun;
  auto slow = std::async(std::launch::async, [&] {
    return objects_.run<std::string>([&](Objects&) { return wait_for(go, begun); });
  });
  begun.get_future().wait();
  objects_.close();
  go.notify_all();
  const auto answer = slow.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Cancelled);
}

TEST_F(BlockingObjectsTest, ClosingWhileManyAskLeavesNobodyWaiting) {
  std::atomic<int> cancelled{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const auto answer = get("a");
        if (answer || answer.error().code != Code::Cancelled) continue;
        ++cancelled;
        return;
      }
    });
  }
  objects_.close();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cancelled, 8);
}

TEST(BlockingObjects, WhatCannotBeMadeIsThrownToWhoWantedIt) {
  EXPECT_THROW(BlockingObjects([](const async::Executor&) -> std::unique_ptr<Objects> {
                 throw std::runtime_error("no");
               }),
               std::runtime_error);
}

}  // namespace
}  // namespace fairlead::s3
