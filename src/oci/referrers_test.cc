// SPDX-License-Identifier: Apache-2.0
#include "oci/referrers.h"

#include <gtest/gtest.h>

namespace fairlead::oci {
namespace {

std::string list(const std::string& descriptors) {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
         descriptors + "]}";
}

const std::string kSignature = R"({"digest":"sha256:1","artifactType":"sig","size":1})";
const std::string kBill = R"({"digest":"sha256:2","artifactType":"sbom","size":2})";

TEST(Referrers, AreMergedByDigest) {
  EXPECT_EQ(merge_referrers("", list(kSignature)), list(kSignature));
  EXPECT_EQ(merge_referrers(list(kSignature), list(kSignature + "," + kBill)),
            list(kSignature + "," + kBill));
}

TEST(Referrers, KeepTheOrderInWhichTheyCame) {
  EXPECT_EQ(merge_referrers(list(kBill), list(kBill + "," + kSignature + "," + kSignature)),
            list(kBill + "," + kSignature));
}

// The attack: a list that costs the square of its length holds a thread for minutes.
TEST(Referrers, AreMergedInTheTimeOfReadingThem) {
  constexpr int kMany = 100'000;
  const auto many = [](int first) {
    std::string descriptors;
    for (int i = first; i < first + kMany; ++i) {
      descriptors += (descriptors.empty() ? "" : ",") +
                     (R"({"digest":"sha256:)" + std::to_string(1'000'000 + i) + "\"}");
    }
    return descriptors;
  };
  const std::string first = many(0);
  const std::string second = many(kMany);
  EXPECT_TRUE(merge_referrers(list(first), list(second)) == list(first + "," + second));
}

TEST(Referrers, AreFilteredByType) {
  const std::string all = list(kSignature + "," + kBill);
  EXPECT_EQ(filter_referrers(all, ""), all);
  EXPECT_EQ(filter_referrers(all, "sbom"), list(kBill));
  EXPECT_EQ(filter_referrers(all, "other"), list(""));
}

TEST(Referrers, WhatIsNoListIsNone) {
  for (const char* bad : {"[]", "{}", R"({"manifests":1})", "<html>"}) {
    EXPECT_FALSE(filter_referrers(bad, "")) << bad;
    EXPECT_FALSE(merge_referrers("", bad)) << bad;
  }
  EXPECT_EQ(filter_referrers(list("1,\"x\",{}"), "sig"), list(""));
}

}  // namespace
}  // namespace fairlead::oci
