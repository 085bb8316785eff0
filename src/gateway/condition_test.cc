// SPDX-License-Identifier: Apache-2.0
#include "gateway/condition.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fairlead::gateway {
namespace {

const oci::Digest kDigest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view("content"));
const std::string kTag = entity_tag(kDigest);

TEST(Condition, TheEntityTagIsTheQuotedDigest) { EXPECT_EQ(kTag, '"' + kDigest.str() + '"'); }

TEST(Condition, IfNoneMatchComparesWeaklyWithEachOfTheList) {
  for (const auto& value : std::vector<std::string>{
           kTag, "W/" + kTag, std::string("*"), "\"a\", " + kTag, kTag + ",\"b\"",
           "\"a\",W/" + kTag + " , \"b\"", "  " + kTag + "\t", " , ," + kTag}) {
    EXPECT_TRUE(matches_any(value, kTag)) << value;
  }
  for (const auto& value : std::vector<std::string>{
           std::string(), std::string(","), std::string("\"\""), kDigest.str(), "w/" + kTag,
           kTag.substr(1), "\"sha256:" + std::string(64, 'a') + "\"", "W/*", "\"*\"", "x" + kTag}) {
    EXPECT_FALSE(matches_any(value, kTag)) << value;
  }
}

TEST(Condition, IfRangeComparesStrongly) {
  EXPECT_TRUE(allows_range("", kTag));
  EXPECT_TRUE(allows_range(kTag, kTag));
  EXPECT_TRUE(allows_range(" " + kTag + " ", kTag));
  for (const auto& value : std::vector<std::string>{
           "W/" + kTag, std::string("*"), std::string("Wed, 21 Oct 2015 07:28:00 GMT"),
           kDigest.str(), kTag + ", " + kTag, std::string("\"other\"")}) {
    EXPECT_FALSE(allows_range(value, kTag)) << value;
  }
}

}  // namespace
}  // namespace fairlead::gateway
