// SPDX-License-Identifier: Apache-2.0
#include "gateway/relay_rights.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace fairlead::gateway {
namespace {

TEST(RelayRights, AreOfOneCallerInOneRepositoryForAMinute) {
  testing::ManualClock clock;
  RelayRights rights(clock);
  EXPECT_FALSE(rights.has("alice", "corp", "team/app"));
  rights.note("alice", "corp", "team/app");
  EXPECT_TRUE(rights.has("alice", "corp", "team/app"));
  EXPECT_FALSE(rights.has("bob", "corp", "team/app"));
  EXPECT_FALSE(rights.has("alice", "corp", "team/app2"));
  EXPECT_FALSE(rights.has("alice", "other", "team/app"));
  clock.advance(RelayRights::kRememberedFor - std::chrono::seconds(1));
  EXPECT_TRUE(rights.has("alice", "corp", "team/app"));
  clock.advance(std::chrono::seconds(1));
  EXPECT_FALSE(rights.has("alice", "corp", "team/app"));
}

TEST(RelayRights, ANameGivesNothingAway) {
  testing::ManualClock clock;
  const RelayRights rights(clock);
  const std::string name = rights.name_of(Secret("Bearer upstream-token"));
  EXPECT_EQ(name, rights.name_of(Secret("Bearer upstream-token")));
  EXPECT_NE(name, rights.name_of(Secret("Bearer upstream-tokem")));
  EXPECT_EQ(name.find("upstream"), std::string::npos);
  EXPECT_NE(name, RelayRights(clock).name_of(Secret("Bearer upstream-token")));
}

}  // namespace
}  // namespace fairlead::gateway
