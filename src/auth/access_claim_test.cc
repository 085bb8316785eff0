// SPDX-License-Identifier: Apache-2.0
#include "auth/access_claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace fairlead::auth {
namespace {

namespace json = boost::json;
using Reach = Access::Reach;

constexpr Actions kPull{oci::Action::Pull};
constexpr Actions kPullPush{oci::Action::Pull, oci::Action::Push};

Result<std::optional<AccessList>> read(const std::string& claim) {
  return read_access_claim(json::object{{"sub", "a"}, {"access", json::parse(claim)}});
}

TEST(AccessClaim, AbsentIsNoList) {
  const auto list = read_access_claim(json::object{{"sub", "a"}, {"Access", "x"}});
  ASSERT_TRUE(list);
  EXPECT_EQ(*list, std::nullopt);
}

TEST(AccessClaim, BothFormsAreRead) {
  const struct {
    std::string claim;
    std::vector<Access> entries;
  } cases[] = {
      {"[]", {}},
      {"null", {}},  // what issuers in Go write for []
      {R"([{"type":"repository","name":"team/app","actions":["pull","push"]}])",
       {{Reach::Exact, "team/app", kPullPush}}},
      {R"([{"type":"repository","class":"image","name":"a","actions":["*"]},
           {"type":"repository","name":"b","actions":["delete"]}])",
       {{Reach::Exact, "a", Actions::all()}, {Reach::Exact, "b", {oci::Action::Delete}}}},
      {R"([{"type":"repository","name":"a","actions":[]}])", {{Reach::Exact, "a", {}}}},
      {R"([{"type":"repository","name":"a","actions":null}])", {{Reach::Exact, "a", {}}}},
      {R"([{"type":"repository","name":"a","actions":["scanner-pull","Pull"]}])",
       {{Reach::Exact, "a", {}}}},
      {R"([{"type":"registry","name":"catalog","actions":["*"]}])", {}},
      {R"([{"type":"plugin","name":"a","actions":["pull"]}])", {}},
      {R"([{"type":"repository","name":"docker.io/library/alpine","actions":["pull"]}])",
       {{Reach::Exact, "docker.io/library/alpine", kPull}}},
      // Names are exact: no pattern is one.
      {R"([{"type":"repository","name":"team/*","actions":["pull"]}])",
       {{Reach::Exact, "team/*", kPull}}},
      {R"({"type":"all"})", {{Reach::All, "", kPull}}},
      {R"({"type":"all","actions":["pull","push"]})", {{Reach::All, "", kPullPush}}},
      {R"({"type":"all","actions":[]})", {{Reach::All, "", {}}}},
      {R"({"type":"repositories","repos":["team","other/app"]})",
       {{Reach::Subtree, "team", kPull}, {Reach::Subtree, "other/app", kPull}}},
      {R"({"type":"repositories","repos":["team"],"actions":["*"]})",
       {{Reach::Subtree, "team", Actions::all()}}},
      {R"({"type":"repositories","repos":[]})", {}},
  };
  for (const auto& c : cases) {
    const auto list = read(c.claim);
    ASSERT_TRUE(list) << c.claim << ": " << list.error().context;
    ASSERT_TRUE(*list) << c.claim;
    EXPECT_EQ((**list).entries(), c.entries) << c.claim;
  }
}

TEST(AccessClaim, MalformedIsRefusedAndNeverNoList) {
  for (const std::string claim : {
           R"("all")",
           "true",
           "7",
           "{}",
           R"({"type":"everything"})",
           R"({"type":null})",
           R"({"type":["all"]})",
           R"({"repos":["team"]})",
           R"({"type":"repositories"})",
           R"({"type":"repositories","repos":"team"})",
           R"({"type":"repositories","repos":{"team":1}})",
           R"({"type":"repositories","repos":[""]})",
           R"({"type":"repositories","repos":["/"]})",
           R"({"type":"repositories","repos":["/team"]})",
           R"({"type":"repositories","repos":["team/"]})",
           R"({"type":"repositories","repos":["te am"]})",
           R"({"type":"repositories","repos":["te\u0000am"]})",
           R"({"type":"repositories","repos":["team",7]})",
           R"({"type":"repositories","repos":[null]})",
           R"({"type":"all","actions":null})",
           R"({"type":"all","actions":"pull"})",
           R"({"type":"all","actions":[["pull"]]})",
           R"([null])",
           R"(["team/app"])",
           R"([{}])",
           R"([{"name":"a","actions":["pull"]}])",
           R"([{"type":7,"name":"a","actions":["pull"]}])",
           R"([{"type":"repository","actions":["pull"]}])",
           R"([{"type":"repository","name":"","actions":["pull"]}])",
           R"([{"type":"repository","name":["a"],"actions":["pull"]}])",
           R"([{"type":"repository","name":"a"}])",
           R"([{"type":"repository","name":"a","actions":"pull"}])",
           R"([{"type":"repository","name":"a","actions":[7]}])",
           R"([{"type":"repository","name":"a","actions":["pull"]},[]])",
       }) {
    const auto list = read(claim);
    ASSERT_FALSE(list) << claim;
    EXPECT_EQ(list.error().code, Code::Unauthorized);
    EXPECT_EQ(list.error().origin, Origin::Client);
    EXPECT_THAT(list.error().context, ::testing::StartsWith("the token's access claim"));
  }
}

TEST(AccessClaim, IsBounded) {
  const auto entries = [](std::size_t count) {
    json::array array;
    for (std::size_t i = 0; i < count; ++i) {
      array.push_back({{"type", "repository"}, {"name", "a"}, {"actions", json::array()}});
    }
    return json::object{{"access", array}};
  };
  const auto repos = [](std::size_t count) {
    return json::object{{"access", {{"type", "repositories"}, {"repos", json::array(count, "a")}}}};
  };
  EXPECT_TRUE(read_access_claim(entries(AccessList::kMaxEntries)));
  EXPECT_FALSE(read_access_claim(entries(AccessList::kMaxEntries + 1)));
  EXPECT_TRUE(read_access_claim(repos(AccessList::kMaxEntries)));
  EXPECT_FALSE(read_access_claim(repos(AccessList::kMaxEntries + 1)));
  EXPECT_FALSE(read(R"([{"type":"repository","name":")" + std::string(513, 'a') +
                    R"(","actions":["pull"]}])"));
  EXPECT_FALSE(read_access_claim(
      {{"access", {{"type", "all"}, {"actions", json::array(33, json::value("pull"))}}}}));
}

TEST(AccessClaim, IsWrittenInTheFormThatHasIt) {
  const struct {
    std::vector<Access> entries;
    std::string claim;
  } cases[] = {
      {{}, "[]"},
      {{{Reach::Exact, "a", kPullPush}, {Reach::Exact, "b/c", {}}},
       R"([{"type":"repository","name":"a","actions":["pull","push"]},)"
       R"({"type":"repository","name":"b/c","actions":[]}])"},
      {{{Reach::Subtree, "a", kPull}, {Reach::Subtree, "b", kPull}},
       R"({"type":"repositories","repos":["a","b"],"actions":["pull"]})"},
      {{{Reach::All, "", Actions::all()}}, R"({"type":"all","actions":["pull","push","delete"]})"},
  };
  for (const auto& c : cases) {
    const auto claim = write_access_claim(AccessList(c.entries));
    ASSERT_TRUE(claim);
    EXPECT_EQ(json::serialize(*claim), c.claim);
    const auto again = read(c.claim);
    ASSERT_TRUE(again && *again);
    EXPECT_EQ((**again).entries(), c.entries);
  }
  EXPECT_FALSE(
      write_access_claim(AccessList({{Reach::Exact, "a", kPull}, {Reach::Subtree, "b", kPull}})));
  EXPECT_FALSE(write_access_claim(
      AccessList({{Reach::Subtree, "a", kPull}, {Reach::Subtree, "b", kPullPush}})));
  EXPECT_FALSE(
      write_access_claim(AccessList({{Reach::All, "", kPull}, {Reach::Subtree, "b", kPull}})));
}

}  // namespace
}  // namespace fairlead::auth
