// SPDX-License-Identifier: Apache-2.0
#include "gateway/catalog_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace fairlead::gateway {
namespace {

using routing::RouteOptions;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kMany = 1000;
const auth::Policy kOpen{{}};

routing::Router build(const std::vector<RouteOptions>& routes) {
  auto router = routing::Router::build(
      routes, {{.name = "docker.io", .has_official_images = true}, {.name = "zot"}});
  if (router) return *std::move(router);
  for (const auto& problem : router.error()) ADD_FAILURE() << problem.text;
  return *routing::Router::build({}, {});
}

void put(ToldNames& told, const std::string& registry, std::vector<std::string> names) {
  std::ranges::sort(names);
  told[registry] = std::make_shared<const std::vector<std::string>>(std::move(names));
}

ToldNames zot(std::vector<std::string> names) {
  ToldNames told;
  put(told, "zot", std::move(names));
  return told;
}

struct Asked {
  const auth::Policy& policy = kOpen;
  auth::Caller caller{};
  routing::RouteQuery place{};
  std::string last{};
  std::size_t n = kMany;
};

CatalogPage page(const std::vector<RouteOptions>& routes, const ToldNames& told,
                 const Asked& asked = {}) {
  const auto router = build(routes);
  const CatalogView view{
      .router = router, .policy = asked.policy, .caller = asked.caller, .place = asked.place};
  return catalog_page(view, catalog_ways(view), told, asked.last, asked.n);
}

// "registry: prefix prefix", in the order of the routes' matches.
std::vector<std::string> ways(const std::vector<RouteOptions>& routes, const Asked& asked = {}) {
  const auto router = build(routes);
  std::vector<std::string> out;
  for (const CatalogWay& way : catalog_ways({.router = router,
                                             .policy = asked.policy,
                                             .caller = asked.caller,
                                             .place = asked.place})) {
    out.push_back(way.reach.registry + ":");
    for (const std::string& prefix : way.prefixes) out.back() += " " + prefix;
  }
  return out;
}

auth::Caller user(std::string name) {
  return {.kind = auth::Caller::Kind::User, .name = std::move(name)};
}

auth::Rule rule(std::string who, std::vector<std::string> repositories,
                auth::Actions actions = {oci::Action::Pull}) {
  return {.who = {std::move(who)}, .repositories = std::move(repositories), .actions = actions};
}

auth::Policy closed_but(std::vector<auth::Rule> rules) {
  return auth::Policy{{.anonymous = {}, .rules = std::move(rules)}};
}

TEST(CatalogPage, NamesAreTheClients) {
  ToldNames told = zot({"apps/b", "apps/a", "apps", "other", "one/alpine"});
  put(told, "docker.io", {"library/alpine", "backplane/x"});
  const auto found = page({{.match = "team/", .to = "zot/apps/"},
                           {.match = "exact", .to = "zot/one/alpine"},
                           {.match = "hub", .to = "docker.io/alpine"},
                           {.match = "bp/", .to = "docker.io/backplane/"}},
                          told);
  EXPECT_THAT(found.names, ElementsAre("bp/x", "exact", "hub", "team/a", "team/b"));
  EXPECT_FALSE(found.has_more);
}

TEST(CatalogPage, OneRepositoryHasAsManyNamesAsLeadToIt) {
  EXPECT_THAT(
      page({{.match = "", .to = "zot/"}, {.match = "x/", .to = "zot/"}}, zot({"a", "b/c"})).names,
      ElementsAre("a", "b/c", "x/a", "x/b/c"));
}

TEST(CatalogPage, TheSameNameIsThereOnce) {
  EXPECT_THAT(
      page({{.match = "", .to = "zot/"}, {.match = "a/b", .to = "zot/a/b"}}, zot({"a/b"})).names,
      ElementsAre("a/b"));
}

TEST(CatalogPage, ANameThatLeadsElsewhereIsNotThere) {
  ToldNames told = zot({"team/app", "team/deep/app", "free"});
  EXPECT_THAT(
      page({{.match = "", .to = "zot/"}, {.match = "team/", .to = "docker.io/team/"}}, told).names,
      ElementsAre("free"));
}

TEST(CatalogPage, WhatARouteDoesNotServeIsNotThere) {
  const RouteOptions route{
      .match = "", .to = "zot/", .policy = {.repositories = {"team/**"}, .deny = {"team/secret"}}};
  EXPECT_THAT(page({route}, zot({"other", "team/app", "team/secret"})).names,
              ElementsAre("team/app"));
}

TEST(CatalogPage, WhatOneMayNotPullIsNotThere) {
  const auth::Policy policy{
      {.anonymous = {},
       .rules = std::vector<auth::Rule>{
           {.who = {"alice"}, .repositories = {"team/**"}, .actions = {oci::Action::Pull}},
           {.who = {"alice"}, .repositories = {"upload/**"}, .actions = {oci::Action::Push}},
           {.who = {"anonymous"}, .repositories = {"public/**"}, .actions = {oci::Action::Pull}}}}};
  const std::vector<RouteOptions> routes{
      {.match = "", .to = "zot/", .policy = {.allow = auth::Actions::all()}}};
  const ToldNames told = zot({"public/a", "team/a", "upload/a"});
  EXPECT_THAT(page(routes, told, {.policy = policy}).names, ElementsAre("public/a"));
  const auth::Caller alice{.kind = auth::Caller::Kind::User, .name = "alice"};
  EXPECT_THAT(page(routes, told, {.policy = policy, .caller = alice}).names,
              ElementsAre("public/a", "team/a"));
}

TEST(CatalogPage, ACapabilityIsNotThere) {
  const std::string secret = "0ebb01be-0a22-4c29-8b9e-5e2f0f7a1c9d";
  const RouteOptions capability{
      .match = secret + "/", .to = "zot/", .policy = {.is_capability = true}};
  EXPECT_THAT(page({capability}, zot({"a"})).names, IsEmpty());
  // Nor what only looks as if it led past it.
  EXPECT_THAT(page({capability, {.match = "", .to = "zot/"}}, zot({"a", secret + "/b"})).names,
              ElementsAre("a"));
}

TEST(CatalogPage, HostAndNamespaceDecideWhatIsThere) {
  const std::vector<RouteOptions> routes{{.match = "", .to = "zot/all/"},
                                         {.host = "*.mirror.example.org", .to = "{1}/"},
                                         {.name_space = "corp.example", .to = "zot/corp/"}};
  const ToldNames told = zot({"all/a", "corp/b"});
  EXPECT_THAT(page(routes, told).names, ElementsAre("a"));
  EXPECT_THAT(page(routes, told, {.place = {.host = "zot.mirror.example.org"}}).names,
              ElementsAre("all/a", "corp/b"));
  EXPECT_THAT(page(routes, told, {.place = {.name_space = "corp.example"}}).names,
              ElementsAre("b"));
  EXPECT_THAT(page(routes, told, {.place = {.name_space = "other.example"}}).names, IsEmpty());
}

TEST(CatalogPage, RulesAreOnQualifiedNames) {
  const auth::Policy policy{{.anonymous = {},
                             .rules = std::vector<auth::Rule>{{.who = {"anonymous"},
                                                               .repositories = {"corp.example/a"},
                                                               .actions = {oci::Action::Pull}}}}};
  EXPECT_THAT(page({{.name_space = "corp.example", .to = "zot/"}}, zot({"a", "b"}),
                   {.policy = policy, .place = {.name_space = "corp.example"}})
                  .names,
              ElementsAre("a"));
}

TEST(CatalogPage, IsCutAsAskedFor) {
  const std::vector<RouteOptions> routes{{.match = "", .to = "zot/"}};
  const ToldNames told = zot({"c", "a", "b", "a/b", "a-b"});
  const auto first = page(routes, told, {.n = 2});
  EXPECT_THAT(first.names, ElementsAre("a", "a-b")) << "by bytes";
  EXPECT_TRUE(first.has_more);
  const auto second = page(routes, told, {.last = "a-b", .n = 3});
  EXPECT_THAT(second.names, ElementsAre("a/b", "b", "c"));
  EXPECT_FALSE(second.has_more);
  EXPECT_THAT(page(routes, told, {.last = "aa"}).names, ElementsAre("b", "c"));
  const auto none = page(routes, told, {.n = 0});
  EXPECT_THAT(none.names, IsEmpty());
  EXPECT_FALSE(none.has_more);
}

TEST(CatalogPage, SeveralWaysAreOneList) {
  ToldNames told = zot({"a", "b/1", "b/2", "d"});
  put(told, "docker.io", {"b/3", "c/1"});
  const std::vector<RouteOptions> routes{{.match = "x/", .to = "zot/b/"},
                                         {.match = "a/", .to = "docker.io/"},
                                         {.match = "", .to = "zot/"},
                                         {.match = "x/2", .to = "zot/d"}};
  EXPECT_THAT(page(routes, told).names,
              ElementsAre("a", "a/b/3", "a/c/1", "b/1", "b/2", "d", "x/1", "x/2"));
  const auto middle = page(routes, told, {.last = "a/b/3", .n = 4});
  EXPECT_THAT(middle.names, ElementsAre("a/c/1", "b/1", "b/2", "d"));
  EXPECT_TRUE(middle.has_more);
  EXPECT_THAT(page(routes, told, {.last = "x/1"}).names, ElementsAre("x/2"));
}

TEST(CatalogPage, WhatIsHiddenBehindAPageIsNoMore) {
  const RouteOptions route{.match = "", .to = "zot/", .policy = {.deny = {"b"}}};
  EXPECT_FALSE(page({route}, zot({"a", "b"}), {.n = 1}).has_more);
}

TEST(CatalogWays, AreThoseOnWhichSomethingMayBePulled) {
  const std::vector<RouteOptions> routes{
      {.match = "", .to = "zot/"},
      {.match = "hub/", .to = "docker.io/"},
      {.match = "upload/", .to = "zot/u/", .policy = {.allow = {oci::Action::Push}}}};
  EXPECT_THAT(ways(routes), ElementsAre("zot: ", "docker.io: hub/"));
  EXPECT_THAT(ways(routes, {.policy = auth::Policy{{.anonymous = {}}}}), IsEmpty());
  EXPECT_THAT(ways(routes, {.policy = auth::Policy{{.anonymous = {}}}, .caller = user("alice")}),
              ElementsAre("zot: ", "docker.io: hub/"));
}

TEST(CatalogWays, GoAsFarAsRulesMayLetThem) {
  const std::vector<RouteOptions> routes{{.match = "", .to = "zot/"},
                                         {.match = "hub/", .to = "docker.io/"},
                                         {.match = "one", .to = "zot/1"}};
  const auto policy = closed_but({rule("alice", {"hub/team/**", "team/*", "team/app"}),
                                  rule("bob", {"one"}), rule("carol", {"**"}, {oci::Action::Push}),
                                  rule("*", {"shared/**"}), rule("anonymous", {"public/**"})});
  EXPECT_THAT(ways(routes, {.policy = policy, .caller = user("alice")}),
              ElementsAre("zot: hub/team/ public/ shared/ team/", "docker.io: hub/team/"));
  EXPECT_THAT(ways(routes, {.policy = policy, .caller = user("bob")}),
              ElementsAre("zot: one public/ shared/", "zot: one"));
  EXPECT_THAT(ways(routes, {.policy = policy, .caller = user("carol")}), IsEmpty());
  EXPECT_THAT(ways(routes, {.policy = policy}), ElementsAre("zot: public/"));
}

TEST(CatalogWays, WhatARouteSaysOfAnonymousCallersCounts) {
  const std::vector<RouteOptions> routes{
      {.match = "closed/", .to = "zot/c/", .policy = {.anonymous = auth::Actions{}}},
      {.match = "open/", .to = "zot/o/", .policy = {.anonymous = auth::Actions{oci::Action::Pull}}},
      {.match = "plain/", .to = "zot/p/"}};
  EXPECT_THAT(ways(routes, {.policy = closed_but({})}), ElementsAre("zot: open/"));
  EXPECT_THAT(ways(routes), ElementsAre("zot: open/", "zot: plain/"));
  // A rule for all names has the last word.
  EXPECT_THAT(ways(routes, {.policy = closed_but({rule("anonymous", {"**"}, {})})}), IsEmpty());
}

TEST(CatalogWays, AreByQualifiedNames) {
  const std::vector<RouteOptions> routes{{.match = "", .to = "zot/"},
                                         {.name_space = "corp.example", .to = "zot/"}};
  const auto policy = closed_but({rule("anonymous", {"corp.example/team/**"})});
  EXPECT_THAT(ways(routes, {.policy = policy, .place = {.name_space = "Corp.example"}}),
              ElementsAre("zot: team/"));
  EXPECT_THAT(ways(routes, {.policy = policy}), ElementsAre("zot: corp.example/team/"));
  EXPECT_THAT(ways(routes, {.policy = policy, .place = {.name_space = "other.example"}}),
              IsEmpty());
}

TEST(CatalogWays, AreByTheListOfAToken) {
  const std::vector<RouteOptions> routes{{.match = "", .to = "zot/"}};
  auth::Caller caller = user("alice");
  caller.access = auth::AccessList(
      {{.name = "team/app", .actions = {oci::Action::Pull}},
       {.reach = auth::Access::Reach::Subtree, .name = "up", .actions = {oci::Action::Push}}});
  const auto policy = closed_but({rule("alice", {"**"})});
  EXPECT_THAT(ways(routes, {.policy = policy, .caller = caller}), ElementsAre("zot: team/app"));
}

// How much it takes, of a hundred thousand names.
class CatalogOfMany : public ::testing::Test {
 protected:
  CatalogOfMany() {
    std::vector<std::string> names;
    for (int i = 0; i < 100'000; ++i) {
      const std::string number = std::to_string(i);
      const std::string app = std::string(6 - number.size(), '0') + number;
      names.push_back("proj" + app.substr(3) + "/app" + app);
    }
    put(told_, "zot", std::move(names));
  }

  CatalogPage look(const auth::Policy& policy, auth::Caller caller, std::size_t n,
                   std::string last = {}, std::vector<std::string> served = {}) const {
    const RouteOptions route{
        .match = "", .to = "zot/", .policy = {.repositories = std::move(served)}};
    return page({route}, told_,
                {.policy = policy, .caller = std::move(caller), .last = std::move(last), .n = n});
  }

  ToldNames told_;
};

TEST_F(CatalogOfMany, WhoMayPullAllSeesAPageOfThem) {
  const auto first = look(kOpen, {}, 2);
  EXPECT_THAT(first.names, ElementsAre("proj000/app000000", "proj000/app001000"));
  EXPECT_TRUE(first.has_more);
  EXPECT_EQ(first.decisions, 3u);
  const auto last = look(kOpen, {}, 1000, "proj999/app097999");
  EXPECT_THAT(last.names, ElementsAre("proj999/app098999", "proj999/app099999"));
  EXPECT_EQ(last.decisions, 2u);
}

TEST_F(CatalogOfMany, WhoMayPullNothingCostsNothing) {
  const auth::Policy policy = closed_but({rule("mallory", {"mal/**", "nal/*"})});
  EXPECT_EQ(look(policy, {}, 1000).decisions, 0u);
  const auto found = look(policy, user("mallory"), 1000);
  EXPECT_THAT(found.names, IsEmpty());
  EXPECT_EQ(found.decisions, 0u);
}

TEST_F(CatalogOfMany, WhoMayPullAFewCostsThese) {
  const auth::Policy policy = closed_but({rule("bob", {"proj500/**", "proj7*/app000777"})});
  const auto found = look(policy, user("bob"), 1000);
  EXPECT_EQ(found.names.size(), 101u);
  EXPECT_EQ(found.decisions, 100u + 10'000u);
}

TEST_F(CatalogOfMany, WhatARouteDoesNotServeCostsNothing) {
  const auto found = look(kOpen, {}, 1000, {}, {"proj123/**", "else/**"});
  EXPECT_EQ(found.names.size(), 100u);
  EXPECT_EQ(found.decisions, 100u);
}

}  // namespace
}  // namespace fairlead::gateway
