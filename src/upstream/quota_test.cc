// SPDX-License-Identifier: Apache-2.0
#include "upstream/quota.h"

#include <gtest/gtest.h>

namespace fairlead::upstream {
namespace {

using namespace std::chrono_literals;

const SteadyTime kNow{1000s};

TEST(Quota, ReadsWhatDockerHubSends) {
  const auto quota = parse_quota("100;w=21600", "76;w=21600", kNow);
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->limit, 100u);
  EXPECT_EQ(quota->remaining, 76u);
  EXPECT_EQ(quota->window, 21600s);
}

TEST(Quota, AnythingElseIsNone) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"100;w=21600", ""},
      {"", "76;w=21600"},
      {"100", "76"},
      {"100;w=", "76;w="},
      {"100;w=0", "76;w=0"},
      {"0;w=60", "0;w=60"},
      {"-1;w=60", "1;w=60"},
      {"100;w=60 ", "1;w=60"},
      {"99999999999999999999;w=60", "1;w=60"},
      {"100;w=60", "1;w=99999999999"},
      {"100;w=60;x", "1;w=60"},
      {"a;w=60", "1;w=60"},
  };
  for (const auto& [limit, remaining] : cases) {
    EXPECT_FALSE(parse_quota(limit, remaining, kNow)) << limit << " / " << remaining;
  }
}

TEST(QuotaBoard, KeepsThemApartAndForAWindow) {
  QuotaBoard board;
  board.note("hub", "", *parse_quota("100;w=60", "1;w=60", kNow));
  board.note("hub", "robot", *parse_quota("200;w=60", "2;w=60", kNow));
  EXPECT_EQ(board.find("hub", "", kNow)->remaining, 1u);
  EXPECT_EQ(board.find("hub", "robot", kNow + 59s)->remaining, 2u);
  EXPECT_FALSE(board.find("other", "", kNow));
  EXPECT_FALSE(board.find("hub", "", kNow + 60s));
}

}  // namespace
}  // namespace fairlead::upstream
