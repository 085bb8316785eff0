// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_health.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

Result<void> failed(Code code, std::string context = "no connection") {
  return upstream_error(code, Retry::Yes, std::move(context));
}

class BucketHealthTest : public ::testing::Test {
 protected:
  void note(const Result<void>& outcome, std::string_view permission = "s3:GetObject") {
    health_.note(permission, outcome);
  }
  // What `act` leaves in the log: how many lines.
  template <class Act>
  std::ptrdiff_t lines(Act act) {
    ::testing::internal::CaptureStderr();
    act();
    log_.flush();
    written_ = ::testing::internal::GetCapturedStderr();
    return std::ranges::count(written_, '\n');
  }

  fairlead::testing::ManualClock clock_;
  telemetry::Log log_{{}};
  BucketHealth health_{"the bucket zot", clock_, log_};
  std::string written_;
};

TEST_F(BucketHealthTest, IsWellUntilItIsNot) {
  EXPECT_TRUE(health_.admit());
  EXPECT_EQ(health_.trouble(), std::nullopt);
  EXPECT_EQ(lines([&] { note({}); }), 0);
}

TEST_F(BucketHealthTest, WhoDoesNotAnswerIsLeftAloneForAWhile) {
  for (const Code code : {Code::Unavailable, Code::Timeout, Code::TooManyRequests}) {
    note(failed(code));
    EXPECT_EQ(health_.trouble(), "no connection");
    const auto refused = health_.admit();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, code);
    EXPECT_EQ(refused.error().origin, Origin::Upstream);
    EXPECT_EQ(refused.error().context, "no connection");
    EXPECT_EQ(refused.error().retry_after, BucketHealth::kRest);
    clock_.advance(BucketHealth::kRest - 1ms);
    EXPECT_FALSE(health_.admit());

    clock_.advance(1ms);
    EXPECT_TRUE(health_.admit());   // one,
    EXPECT_FALSE(health_.admit());  // the others when that was answered
    note({});
    EXPECT_TRUE(health_.admit());
    EXPECT_TRUE(health_.admit());
    EXPECT_EQ(health_.trouble(), std::nullopt);
  }
}

TEST_F(BucketHealthTest, AQuestionThatIsGivenUpHoldsNobodyForLong) {
  note(failed(Code::Unavailable));
  clock_.advance(BucketHealth::kRest);
  EXPECT_TRUE(health_.admit());
  note(failed(Code::Cancelled));
  EXPECT_TRUE(health_.trouble());
  clock_.advance(BucketHealth::kRest);
  EXPECT_TRUE(health_.admit());
}

// Its answer may take longer than the rest.
TEST_F(BucketHealthTest, OneQuestionAtATimeIsOutAfterTheRest) {
  note(failed(Code::Timeout));
  clock_.advance(BucketHealth::kRest);
  EXPECT_TRUE(health_.admit());
  clock_.advance(BucketHealth::kProbe - 1s);
  const auto refused = health_.admit();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::Timeout);
  EXPECT_EQ(refused.error().retry_after, 1s);
  note(failed(Code::Timeout));
  EXPECT_FALSE(health_.admit());
  clock_.advance(BucketHealth::kRest);
  EXPECT_TRUE(health_.admit());
  EXPECT_FALSE(health_.admit());
  clock_.advance(BucketHealth::kProbe);  // it vanished
  EXPECT_TRUE(health_.admit());
  EXPECT_FALSE(health_.admit());
  note({});
  EXPECT_TRUE(health_.admit());
}

TEST_F(BucketHealthTest, AFaultOfOursTellsNothing) {
  note(internal_error(Code::Unavailable, "too long a key"));
  EXPECT_EQ(health_.trouble(), std::nullopt);
  note(failed(Code::Denied));
  note(internal_error(Code::InvalidArgument, "too long a key"));
  EXPECT_EQ(health_.trouble(), "no connection");
}

TEST_F(BucketHealthTest, WhatIsDeniedIsTroubleUntilThatPermissionSuffices) {
  EXPECT_EQ(lines([&] {
              note(failed(Code::Denied, "needs s3:PutObject"), "s3:PutObject");
              note(failed(Code::Denied, "needs s3:ListBucket"), "s3:ListBucket");
              note({}, "s3:GetObject");
              note(failed(Code::NotFound), "s3:GetObject");
            }),
            1);
  EXPECT_EQ(health_.trouble(), "needs s3:ListBucket");
  EXPECT_EQ(lines([&] { note({}, "s3:ListBucket"); }), 0);
  EXPECT_EQ(health_.trouble(), "needs s3:PutObject");
  note(failed(Code::Unavailable), "s3:GetObject");
  EXPECT_EQ(health_.trouble(), "no connection");
  note({}, "s3:GetObject");
  EXPECT_EQ(health_.trouble(), "needs s3:PutObject");
  EXPECT_EQ(lines([&] { note({}, "s3:PutObject"); }), 1);
  EXPECT_TRUE(written_.contains("well again")) << written_;
  EXPECT_EQ(health_.trouble(), std::nullopt);
}

TEST_F(BucketHealthTest, IsWellWhileNothingKeepsItFromBeingRead) {
  EXPECT_TRUE(health_.is_well());
  for (const Code code : {Code::Unavailable, Code::Timeout, Code::Denied, Code::InvalidArgument}) {
    note(failed(code));
    EXPECT_FALSE(health_.is_well());
    note({});
    EXPECT_TRUE(health_.is_well());
  }
  note(failed(Code::Denied), "s3:PutObject");
  EXPECT_TRUE(health_.is_well());
  EXPECT_TRUE(health_.trouble());
}

TEST_F(BucketHealthTest, WhoRefusesIsAskedAgain) {
  for (const Code code : {Code::Unauthorized, Code::Denied, Code::InvalidArgument, Code::Corrupt}) {
    note(failed(code, "refused"));
    EXPECT_EQ(health_.trouble(), "refused");
    EXPECT_TRUE(health_.admit());
    EXPECT_TRUE(health_.admit());
  }
}

TEST_F(BucketHealthTest, WhatIsNotThereIsNoTrouble) {
  for (const Code code : {Code::NotFound, Code::TooLarge}) {
    note(failed(Code::Unavailable));
    note(failed(code));
    EXPECT_EQ(health_.trouble(), std::nullopt);
    EXPECT_TRUE(health_.admit());
  }
}

TEST_F(BucketHealthTest, AnObjectThatIsNotThereDoesNotTellThatItsBucketIs) {
  note(failed(Code::InvalidArgument, "no such bucket"));
  note(failed(Code::NotFound));
  EXPECT_EQ(health_.trouble(), "no such bucket");
  note({});
  EXPECT_EQ(health_.trouble(), std::nullopt);
}

TEST_F(BucketHealthTest, TheLogHasALineWhenItBeginsAndOneWhenItEnds) {
  EXPECT_EQ(lines([&] {
              note(failed(Code::Denied, "needs s3:GetObject"));
              note(failed(Code::Denied, "needs s3:GetObject"));
              note(failed(Code::Unavailable));
            }),
            1);
  EXPECT_TRUE(written_.contains("warn")) << written_;
  EXPECT_TRUE(written_.contains("the bucket zot")) << written_;
  EXPECT_TRUE(written_.contains("needs s3:GetObject")) << written_;
  EXPECT_EQ(lines([&] {
              note({});
              note({});
            }),
            1);
  EXPECT_TRUE(written_.contains("well again")) << written_;
}

TEST_F(BucketHealthTest, WhatComesAndGoesDoesNotFillTheLog) {
  const auto flap = [&] {
    note(failed(Code::Denied, "needs s3:ListBucket"));
    note({});
  };
  EXPECT_EQ(lines([&] {
              for (int i = 0; i < 100; ++i) {
                flap();
                clock_.advance(BucketHealth::kQuiet - 1s);
              }
            }),
            2);
  EXPECT_EQ(lines([&] { note(failed(Code::Denied, "something else")); }), 1);
  EXPECT_EQ(lines([&] { note({}); }), 1);
  clock_.advance(BucketHealth::kQuiet);
  EXPECT_EQ(lines(flap), 2);
}

TEST_F(BucketHealthTest, WhatStaysIsToldInTheEnd) {
  const auto denied = failed(Code::Denied, "needs s3:ListBucket");
  note(denied);
  note({});
  EXPECT_EQ(lines([&] { note(denied); }), 0);
  clock_.advance(BucketHealth::kQuiet);
  EXPECT_EQ(lines([&] { note(denied); }), 1);
  EXPECT_EQ(lines([&] { note({}); }), 1);
}

}  // namespace
}  // namespace fairlead::s3
