// SPDX-License-Identifier: Apache-2.0
#include "oci/name_prefix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NamePrefix, IsWhatStandsBeforeTheFirstStar) {
  EXPECT_EQ(literal_prefix("team/*/app"), "team/");
  EXPECT_EQ(literal_prefix("team-**"), "team-");
  EXPECT_EQ(literal_prefix("team/app"), "team/app");
  EXPECT_EQ(literal_prefix("**"), "");
}

TEST(NamePrefix, OutermostHasNoneWithinAnother) {
  EXPECT_THAT(outermost({"b/", "a/x", "a/", "a/x/y", "a-", "b/"}), ElementsAre("a-", "a/", "b/"));
  EXPECT_THAT(outermost({"a", ""}), ElementsAre(""));
  EXPECT_THAT(outermost({}), IsEmpty());
}

TEST(NamePrefix, NarrowerBeginsWithBoth) {
  EXPECT_EQ(narrower("a/", "a/b"), "a/b");
  EXPECT_EQ(narrower("a/b", "a/"), "a/b");
  EXPECT_EQ(narrower("a", ""), "a");
  EXPECT_EQ(narrower("a/", "b/"), std::nullopt);
}

}  // namespace
}  // namespace fairlead::oci
