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

Digest digest(char digit) { return *Digest::parse("sha256:" + std::string(64, digit)); }

std::string config(std::string_view type) {
  return R"("config":{"mediaType":")" + std::string(type) + R"(","digest":")" + digest('c').str() +
         R"(","size":2},"layers":[])";
}

// A manifest with these members, and a subject.
std::string about_something(const std::string& members) {
  return R"({"schemaVersion":2,)" + members + R"(,"subject":{"mediaType":"m","digest":")" +
         digest('5').str() + R"(","size":9}})";
}

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

TEST(ReferrersQuery, IsAType) {
  EXPECT_EQ(ReferrersQuery::parse("artifactType=a%2Fb%2Bjson").artifact_type, "a/b+json");
  EXPECT_TRUE(ReferrersQuery::parse("artifactType=a").is_understood);
  EXPECT_TRUE(ReferrersQuery::parse("").is_understood);
  for (const char* other :
       {"n=1", "artifactType=a&x=y", "artifactType=a&artifactType=b", "artifactType=%zz"}) {
    EXPECT_FALSE(ReferrersQuery::parse(other).is_understood) << other;
  }
  EXPECT_EQ(ReferrersQuery::parse("x=y&artifactType=a").artifact_type, "a");
}

TEST(Referrers, AreDescribedAsRegistriesDo) {
  const std::string artifact = about_something(
      R"("artifactType":"sig","annotations":{"k":"v","n":7},)" + config("application/empty"));
  EXPECT_EQ(describe_referrer(digest('1'), "m", artifact),
            R"({"mediaType":"m","digest":")" + digest('1').str() + R"(","size":)" +
                std::to_string(artifact.size()) +
                R"(,"artifactType":"sig","annotations":{"k":"v"}})");
  const std::string plain = about_something(config("application/config"));
  EXPECT_EQ(describe_referrer(digest('1'), "m", plain),
            R"({"mediaType":"m","digest":")" + digest('1').str() + R"(","size":)" +
                std::to_string(plain.size()) + R"(,"artifactType":"application/config"})");
  const std::string index = about_something(R"("manifests":[])");
  EXPECT_EQ(describe_referrer(digest('1'), "m", index), R"({"mediaType":"m","digest":")" +
                                                            digest('1').str() + R"(","size":)" +
                                                            std::to_string(index.size()) + "}");
}

TEST(Referrers, WhatIsNoReferrerIsNotDescribed) {
  const std::string no_subject = R"({"schemaVersion":2,)" + config("x") + "}";
  const std::string huge = about_something(R"("annotations":{"k":")" +
                                           std::string(kMaxReferrer, 'x') + R"("},)" + config("x"));
  for (const std::string& bad : {no_subject, huge, std::string("<html>"), std::string("{}"),
                                 about_something(config("x") + R"(,"manifests":[])")}) {
    EXPECT_FALSE(describe_referrer(digest('1'), "m", bad)) << bad.substr(0, 100);
  }
  // What is no annotation is none.
  for (const char* odd : {"7", "[]", "null", "{\"a\":{}}"}) {
    const auto text = about_something("\"annotations\":" + std::string(odd) + "," + config("x"));
    const auto described = describe_referrer(digest('1'), "m", text);
    ASSERT_TRUE(described) << odd;
    EXPECT_EQ(described->find("annotations"), std::string::npos) << odd;
  }
}

TEST(Referrers, FollowPushesAndDeletions) {
  const std::string one = R"({"digest":")" + digest('1').str() + R"(","size":1})";
  const std::string again = R"({"digest":")" + digest('1').str() + R"(","size":2})";
  const std::string two = R"({"digest":")" + digest('2').str() + R"(","size":3})";
  EXPECT_EQ(add_referrer(list(""), one), list(one));
  EXPECT_EQ(add_referrer(list(one + "," + two), again), list(two + "," + again));
  EXPECT_EQ(remove_referrer(list(one + "," + two), digest('1')), list(two));
  EXPECT_EQ(remove_referrer(list(two), digest('1')), list(two));
  EXPECT_FALSE(add_referrer("<html>", one));
  EXPECT_FALSE(add_referrer(list(""), "<html>"));
  EXPECT_FALSE(remove_referrer("<html>", digest('1')));
}

}  // namespace
}  // namespace fairlead::oci
