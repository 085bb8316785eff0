// SPDX-License-Identifier: Apache-2.0
#include "async/all_of.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "testing/coroutine_test.h"

namespace fairlead::async {
namespace {

class AllOfTest : public fairlead::testing::CoroutineTest {
 protected:
  // Waits until `count` of these have begun.
  static Task<std::string> meet(AllOfTest& test, std::size_t count, std::string name) {
    ++test.begun_;
    test.changed_.notify_all();
    for (;;) {
      const auto seen = test.changed_.version();
      if (test.begun_ >= count) co_return name;
      if (!co_await test.changed_.wait(seen, std::chrono::steady_clock::now() + kPatience)) {
        co_return "nobody else came";
      }
    }
  }
  static Task<std::string> fail() {
    throw std::runtime_error("no");
    co_return "";
  }

  std::size_t begun_ = 0;
  Broadcast changed_;
};

TEST_F(AllOfTest, RunsThemSideBySideAndKeepsTheirOrder) {
  std::vector<Task<std::string>> tasks;
  for (const char* name : {"a", "b", "c"}) tasks.push_back(meet(*this, 3, name));
  EXPECT_EQ(run(all_of(std::move(tasks))), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(AllOfTest, NoneIsNothingToWaitFor) {
  EXPECT_TRUE(run(all_of(std::vector<Task<std::string>>())).empty());
}

TEST_F(AllOfTest, HandsOnWhatTheyThrow) {
  std::vector<Task<std::string>> tasks;
  tasks.push_back(meet(*this, 1, "a"));
  tasks.push_back(fail());
  EXPECT_THROW(run(all_of(std::move(tasks))), std::runtime_error);
}

}  // namespace
}  // namespace fairlead::async
