// SPDX-License-Identifier: Apache-2.0
#include "gateway/catalog_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  return catalog_page(
      {.router = router, .policy = asked.policy, .caller = asked.caller, .place = asked.place},
      told, asked.last, asked.n);
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
  EXPECT_FALSE(none.is_all_hidden);
  EXPECT_FALSE(page(routes, told, {.last = "zz"}).is_all_hidden);
}

TEST(CatalogPage, WhatIsHiddenBehindAPageIsNoMore) {
  const RouteOptions route{.match = "", .to = "zot/", .policy = {.deny = {"b"}}};
  EXPECT_FALSE(page({route}, zot({"a", "b"}), {.n = 1}).has_more);
}

TEST(CatalogPage, AllIsHiddenWhereNothingMayBePulled) {
  const auth::Policy closed{{.anonymous = {}}};
  const std::vector<RouteOptions> routes{{.match = "", .to = "zot/"}};
  EXPECT_TRUE(page(routes, zot({"a"}), {.policy = closed}).is_all_hidden);
  EXPECT_TRUE(page(routes, zot({"a"}), {.policy = closed, .n = 0}).is_all_hidden);
  EXPECT_FALSE(page(routes, zot({"a"})).is_all_hidden);
}

}  // namespace
}  // namespace fairlead::gateway
