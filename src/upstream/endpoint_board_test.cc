// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoint_board.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace fairlead::upstream {
namespace {

class EndpointBoardTest : public ::testing::Test {
 protected:
  const std::string endpoint_ = "https://registry.example";
  const Challenge basic_{.scheme = "basic"};
  testing::ManualClock clock_;
  EndpointBoard board_{clock_};
};

TEST_F(EndpointBoardTest, KeepsTheLastChallengeOfEach) {
  EXPECT_FALSE(board_.is_login_known(endpoint_));
  board_.note_challenge(endpoint_, {.scheme = "bearer"});
  board_.note_challenge(endpoint_, basic_);
  clock_.advance(std::chrono::hours(100));
  EXPECT_TRUE(board_.is_login_known(endpoint_));
  ASSERT_TRUE(board_.challenge(endpoint_));
  EXPECT_EQ(board_.challenge(endpoint_)->scheme, "basic");
  EXPECT_FALSE(board_.challenge("https://other.example"));
  board_.forget_challenge(endpoint_);
  EXPECT_FALSE(board_.is_login_known(endpoint_));
}

TEST_F(EndpointBoardTest, AChallengeWinsOverLettingStrangersIn) {
  board_.note_asks_nothing(endpoint_);
  EXPECT_TRUE(board_.is_login_known(endpoint_));
  EXPECT_FALSE(board_.challenge(endpoint_));
  board_.note_challenge(endpoint_, basic_);
  board_.note_asks_nothing(endpoint_);
  EXPECT_TRUE(board_.challenge(endpoint_));
}

TEST_F(EndpointBoardTest, ForgetsTheRestAfterAWhile) {
  board_.note_asks_nothing(endpoint_);
  board_.note_no_continue(endpoint_);
  clock_.advance(EndpointBoard::kRemembered - std::chrono::seconds(1));
  EXPECT_TRUE(board_.is_login_known(endpoint_));
  EXPECT_TRUE(board_.sends_no_continue(endpoint_, true));
  EXPECT_TRUE(board_.sends_no_continue(endpoint_, false));
  EXPECT_FALSE(board_.sends_no_continue("https://other.example", true));
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(board_.is_login_known(endpoint_));
  EXPECT_FALSE(board_.sends_no_continue(endpoint_, true));
  EXPECT_FALSE(board_.sends_no_continue(endpoint_, false));
}

TEST_F(EndpointBoardTest, WhatIsRefusedLateSaysNothingOfLargeBodies) {
  board_.note_no_continue_for_small(endpoint_);
  EXPECT_TRUE(board_.sends_no_continue(endpoint_, true));
  EXPECT_FALSE(board_.sends_no_continue(endpoint_, false));
  clock_.advance(EndpointBoard::kRemembered);
  EXPECT_FALSE(board_.sends_no_continue(endpoint_, true));
}

}  // namespace
}  // namespace fairlead::upstream
