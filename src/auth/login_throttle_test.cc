// SPDX-License-Identifier: Apache-2.0
#include "auth/login_throttle.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;

class LoginThrottleTest : public ::testing::Test {
 protected:
  // What a client has to wait; 0s: nothing.
  std::chrono::seconds wait(std::string_view address) {
    return throttle_.admit(address).value_or(0s);
  }
  void fail(std::string_view address, int times = 1) {
    for (int i = 0; i < times; ++i) throttle_.failed(address);
  }

  fairlead::testing::ManualClock clock_;
  LoginThrottle throttle_{clock_};
};

TEST_F(LoginThrottleTest, FourMistakesAreFree) {
  fail("10.0.0.1", 4);
  EXPECT_EQ(wait("10.0.0.1"), 0s);
  EXPECT_EQ(wait("10.0.0.1"), 0s) << "at the same time";
}

TEST_F(LoginThrottleTest, TheFifthWithinAMinuteShutsOut) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(wait("10.0.0.1"), 0s);
    fail("10.0.0.1");
    clock_.advance(i < 4 ? 14s : 0s);
  }
  EXPECT_EQ(wait("10.0.0.1"), 1s);
  EXPECT_EQ(wait("10.0.0.2"), 0s) << "nobody else";
  clock_.advance(999ms);
  EXPECT_EQ(wait("10.0.0.1"), 1s);
  clock_.advance(1ms);
  EXPECT_EQ(wait("10.0.0.1"), 0s);
}

TEST_F(LoginThrottleTest, WhoWaitedForTheirTurnIsToldOfFailuresSince) {
  EXPECT_EQ(wait("10.0.0.1"), 0s);
  fail("10.0.0.1", 4);
  EXPECT_FALSE(throttle_.is_shut("10.0.0.1"));
  fail("10.0.0.1");
  EXPECT_TRUE(throttle_.is_shut("10.0.0.1"));
  EXPECT_FALSE(throttle_.is_shut("10.0.0.2"));
  clock_.advance(1s);
  EXPECT_FALSE(throttle_.is_shut("10.0.0.1"));
}

TEST_F(LoginThrottleTest, TheWaitDoublesUpToAMinute) {
  fail("10.0.0.1", 5);
  for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
    EXPECT_EQ(wait("10.0.0.1"), expected);
    fail("10.0.0.1");
  }
}

TEST_F(LoginThrottleTest, WhoNeverStopsHasOneGuessAMinute) {
  int guesses = 0;
  for (int second = 0; second < 3600; ++second) {
    if (wait("10.0.0.1") == 0s) {
      fail("10.0.0.1");
      ++guesses;
    }
    clock_.advance(1s);
  }
  EXPECT_LT(guesses, 75);
  EXPECT_GT(guesses, 55) << "shut out for good";
}

TEST_F(LoginThrottleTest, FailuresAreForgiven) {
  fail("10.0.0.1", 100);
  EXPECT_EQ(wait("10.0.0.1"), 60s);
  clock_.advance(7min);
  EXPECT_EQ(wait("10.0.0.1"), 0s);
  EXPECT_EQ(wait("10.0.0.1"), 0s) << "two at the same time";
  fail("10.0.0.1");
  EXPECT_EQ(wait("10.0.0.1"), 1s) << "not forgotten yet";
  clock_.advance(11min);
  fail("10.0.0.1", 4);
  EXPECT_EQ(wait("10.0.0.1"), 0s);
}

// The attack: a hundred guesses at once, before the first has failed.
TEST_F(LoginThrottleTest, AfterFailuresThereIsOneTryAtATime) {
  fail("10.0.0.1", 10);
  clock_.advance(60s);
  EXPECT_EQ(wait("10.0.0.1"), 0s);
  for (int i = 0; i < 100; ++i) EXPECT_GT(wait("10.0.0.1"), 0s);
}

// A machine that many share: the right password of one lets the next one try.
TEST_F(LoginThrottleTest, ATryThatGoesWellLetsTheNextOneIn) {
  fail("10.0.0.1", 10);
  clock_.advance(60s);
  EXPECT_EQ(wait("10.0.0.1"), 0s);
  throttle_.succeeded("10.0.0.1");
  EXPECT_EQ(wait("10.0.0.1"), 0s);
  throttle_.succeeded("10.0.0.9");
}

// The attack: one's own password between the guesses.
TEST_F(LoginThrottleTest, ALoginThatGoesWellForgivesNothing) {
  fail("10.0.0.1", 4);
  throttle_.succeeded("10.0.0.1");
  fail("10.0.0.1");
  EXPECT_EQ(wait("10.0.0.1"), 1s);
  throttle_.succeeded("10.0.0.1");
  EXPECT_EQ(wait("10.0.0.1"), 1s);
}

// The attack: another address of one's own network for every guess.
TEST_F(LoginThrottleTest, AnIpv6NetworkIsOneClient) {
  for (int i = 0; i < 5; ++i) fail("2001:db8::" + std::to_string(i));
  EXPECT_EQ(wait("2001:db8::99"), 1s);
  EXPECT_EQ(wait("2001:db8:0:1::99"), 0s);
}

// The attack: so many addresses that one's own score is forgotten.
TEST_F(LoginThrottleTest, IsBoundedAndKeepsTheWorst) {
  fail("192.0.2.1", 5);
  fail("192.0.2.1", 5);
  for (unsigned i = 0; i < 2 * LoginThrottle::kMaxClients; ++i) {
    fail("10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
         std::to_string(i & 255));
    if (i % 1000 == 0) clock_.advance(1ms);
  }
  EXPECT_EQ(throttle_.clients(), LoginThrottle::kMaxClients);
  EXPECT_EQ(wait("192.0.2.1"), 32s);
}

}  // namespace
}  // namespace fairlead::auth
