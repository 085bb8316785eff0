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
