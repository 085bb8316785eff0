// SPDX-License-Identifier: Apache-2.0
#include "cache/freshness.h"

#include <gtest/gtest.h>

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

const WallTime kChecked{1'700'000'000s};
const FreshnessPolicy kPolicy{.fresh_for = 60s, .stale_if_error = 1h};

upstream::Quota quota(std::uint64_t remaining) {
  return {.limit = 100, .remaining = remaining, .window = 30min};
}

TEST(Freshness, HoldsForItsTime) {
  EXPECT_TRUE(is_fresh(kPolicy, kChecked, kChecked, {}));
  EXPECT_TRUE(is_fresh(kPolicy, kChecked, kChecked + 59s, {}));
  EXPECT_FALSE(is_fresh(kPolicy, kChecked, kChecked + 60s, {}));
  EXPECT_FALSE(is_fresh({.fresh_for = 0s}, kChecked, kChecked, {})) << "0: always asked";
}

TEST(Freshness, AClockThatWasWrongIsNotBelieved) {
  EXPECT_TRUE(is_fresh(kPolicy, kChecked, kChecked - 1s, {}));
  EXPECT_FALSE(is_fresh(kPolicy, kChecked, kChecked - 1h, {}));
  EXPECT_TRUE(may_be_served_stale(kPolicy, kChecked, kChecked - 1h));
}

TEST(Freshness, ALowQuotaMakesItHoldLonger) {
  EXPECT_FALSE(is_fresh(kPolicy, kChecked, kChecked + 2min, quota(10)));
  EXPECT_TRUE(is_fresh(kPolicy, kChecked, kChecked + 2min, quota(9)));
  EXPECT_FALSE(is_fresh(kPolicy, kChecked, kChecked + 11min, quota(9)));
  EXPECT_TRUE(is_fresh(kPolicy, kChecked, kChecked + 11min, quota(0)));
  EXPECT_FALSE(is_fresh(kPolicy, kChecked, kChecked + 30min, quota(0)));
}

TEST(Freshness, NeverLongerThanItMayBeStale) {
  const FreshnessPolicy policy{.fresh_for = 60s, .stale_if_error = 5min};
  EXPECT_FALSE(is_fresh(policy, kChecked, kChecked + 5min, quota(0)));
  const FreshnessPolicy never_stale{.fresh_for = 60s, .stale_if_error = 0s};
  EXPECT_TRUE(is_fresh(never_stale, kChecked, kChecked + 59s, quota(0)));
}

TEST(Freshness, StaleHasItsEnd) {
  EXPECT_TRUE(may_be_served_stale(kPolicy, kChecked, kChecked + 59min));
  EXPECT_FALSE(may_be_served_stale(kPolicy, kChecked, kChecked + 1h));
}

}  // namespace
}  // namespace fairlead::cache
