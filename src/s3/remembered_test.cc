// SPDX-License-Identifier: Apache-2.0
#include "s3/remembered.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

class RememberedTest : public ::testing::Test {
 protected:
  fairlead::testing::ManualClock clock_;
  Remembered<int> remembered_{3, 60s, clock_};
};

TEST_F(RememberedTest, ForgetsAfterItsTime) {
  remembered_.put("a", 1);
  clock_.advance(59s);
  EXPECT_EQ(remembered_.find("a"), 1);
  EXPECT_EQ(remembered_.find("b"), std::nullopt);
  clock_.advance(1s);
  EXPECT_EQ(remembered_.find("a"), std::nullopt);
}

TEST_F(RememberedTest, ForgetsTheOldestWhenFull) {
  for (const char* name : {"a", "b", "c"}) remembered_.put(name, 1);
  remembered_.put("a", 2);  // now the newest
  remembered_.put("d", 1);
  EXPECT_EQ(remembered_.find("b"), std::nullopt);
  EXPECT_EQ(remembered_.find("a"), 2);
  EXPECT_EQ(remembered_.find("c"), 1);
  EXPECT_EQ(remembered_.find("d"), 1);
}

TEST_F(RememberedTest, APutBeginsItsTimeAnew) {
  remembered_.put("a", 1);
  clock_.advance(50s);
  remembered_.put("a", 2);
  clock_.advance(50s);
  EXPECT_EQ(remembered_.find("a"), 2);
}

TEST_F(RememberedTest, ForgetsWhatItIsTold) {
  remembered_.put("a", 1);
  remembered_.erase("a");
  remembered_.erase("b");
  EXPECT_EQ(remembered_.find("a"), std::nullopt);
}

}  // namespace
}  // namespace fairlead::s3
