// SPDX-License-Identifier: Apache-2.0
#include "auth/waiting_line.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "testing/coroutine_test.h"

namespace fairlead::auth {
namespace {

constexpr auto kNever = SteadyTime::max();

class WaitingLineTest : public fairlead::testing::CoroutineTest {
 protected:
  using Entered = std::optional<Result<WaitingLine::Place>>;

  void settle() { run_for(std::chrono::milliseconds(2)); }

  WaitingLine line_{1, 2};
  Entered a_, b_, c_, d_;
};

TEST_F(WaitingLineTest, ServesInOrder) {
  begin(line_.enter(kNever), a_);
  begin(line_.enter(kNever), b_);
  begin(line_.enter(kNever), c_);
  settle();
  EXPECT_TRUE(a_ && !b_ && !c_);
  EXPECT_EQ(line_.waiting(), 2u);
  a_.reset();
  settle();
  EXPECT_TRUE(b_ && !c_);
  b_.reset();
  settle();
  EXPECT_TRUE(c_ && *c_);
  EXPECT_EQ(line_.waiting(), 0u);
}

TEST_F(WaitingLineTest, TurnsAwayWhoHasNoRoom) {
  begin(line_.enter(kNever), a_);
  begin(line_.enter(kNever), b_);
  begin(line_.enter(kNever), c_);
  begin(line_.enter(kNever), d_);
  settle();
  ASSERT_TRUE(d_);
  EXPECT_EQ(d_->error().code, Code::TooManyRequests);
  EXPECT_EQ(d_->error().context, "too many logins at once");
  a_.reset();
  run_until([&] { return b_.has_value(); });
  b_.reset();
  run_until([&] { return c_.has_value(); });
}

TEST_F(WaitingLineTest, WhoGivesUpMakesRoomForTheNext) {
  begin(line_.enter(kNever), a_);
  begin(line_.enter(std::chrono::steady_clock::now() + std::chrono::milliseconds(5)), b_);
  begin(line_.enter(kNever), c_);
  run_until([&] { return b_.has_value(); });
  EXPECT_EQ(b_->error().code, Code::TooManyRequests);
  EXPECT_EQ(b_->error().retry_after, std::chrono::seconds(1));
  EXPECT_EQ(line_.waiting(), 1u);
  a_.reset();
  run_until([&] { return c_.has_value(); });
  EXPECT_TRUE(*c_);
}

TEST_F(WaitingLineTest, TheirCoroutinesMayBeDestroyedMidway) {
  begin(line_.enter(kNever), a_);
  run_until([&] { return a_.has_value(); });
  {
    boost::asio::io_context other(1);
    boost::asio::co_spawn(other.get_executor(), line_.enter(kNever),
                          [](const std::exception_ptr&, const Result<WaitingLine::Place>&) {});
    other.run_for(std::chrono::milliseconds(2));
    EXPECT_EQ(line_.waiting(), 1u);
  }
  EXPECT_EQ(line_.waiting(), 0u);
  a_.reset();
  begin(line_.enter(kNever), b_);
  run_until([&] { return b_.has_value(); });
  EXPECT_TRUE(*b_);
}

}  // namespace
}  // namespace fairlead::auth
