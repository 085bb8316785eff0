// SPDX-License-Identifier: Apache-2.0
// Routing backwards: from what registries have to the names of clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/router.h"

namespace fairlead::routing {
namespace {

Router build(const std::vector<RouteOptions>& routes) {
  auto router = Router::build(routes, {{.name = "docker.io", .has_official_images = true},
                                       {.name = "ghcr.io"},
                                       {.name = "zot"},
                                       {.name = "localhost:5000"}});
  if (router) return *std::move(router);
  for (const auto& problem : router.error()) ADD_FAILURE() << problem.text;
  return *Router::build({}, {});
}

// "match registry remote", in the order of their matches.
std::vector<std::string> reached(const Router& router, const RouteQuery& query) {
  std::vector<std::string> out;
  for (const Reach& reach : router.reaches(query)) {
    out.push_back(reach.match + " " + reach.registry + " " + reach.remote);
  }
  return out;
}

TEST(Router, TellsEveryWayThatARequestMayGo) {
  const Router router = build({{.match = "", .to = "zot/"},
                               {.match = "bp/", .to = "docker.io/backplane/"},
                               {.match = "alpine", .to = "docker.io/alpine"},
                               {.match = "0ebb01be-0a22-4c29-8b9e-5e2f0f7a1c9d/",
                                .to = "ghcr.io/secret/",
                                .policy = {.is_capability = true}},
                               {.match = "x/", .host = "a.example.org", .to = "ghcr.io/x/"},
                               {.host = "*.mirror.example.org", .to = "{1}/"},
                               {.name_space = "zot.example", .to = "zot/one/"},
                               {.name_space = "*", .to = "{1}/"}});
  using testing::ElementsAre;
  EXPECT_THAT(reached(router, {}),
              ElementsAre(" zot ", "alpine docker.io alpine", "bp/ docker.io backplane/"));
  EXPECT_THAT(
      reached(router, {.host = "A.example.org."}),
      ElementsAre("x/ ghcr.io x/", " zot ", "alpine docker.io alpine", "bp/ docker.io backplane/"));
  EXPECT_THAT(reached(router, {.host = "ghcr.io.mirror.example.org", .name_space = "docker.io"}),
              ElementsAre(" ghcr.io ", " docker.io "));
  EXPECT_THAT(reached(router, {.name_space = "Zot.example"}), ElementsAre(" zot one/"));
  EXPECT_THAT(reached(router, {.name_space = "localhost:5000"}), ElementsAre(" localhost:5000 "));
  EXPECT_THAT(reached(router, {.name_space = "169.254.169.254"}), testing::IsEmpty());
  EXPECT_THAT(reached(router, {.authority = "us:5000", .name_space = "US:5000"}),
              testing::SizeIs(3));
}

TEST(Router, TellsOfEveryWayWhatItsNamesAreCalled) {
  const RoutePolicy policy{.repositories = {"a/**"}};
  const Router router = build({{.match = "", .to = "zot/"},
                               {.match = "x/", .host = "a.example.org", .to = "ghcr.io/x/"},
                               {.name_space = "*", .to = "{1}/", .policy = policy}});
  const auto ways = router.reaches({.host = "A.example.org.", .name_space = "Zot"});
  ASSERT_EQ(ways.size(), 2u);
  const auto by_host = router.route({.host = "A.example.org.", .repository = "x/y"});
  ASSERT_TRUE(by_host);
  EXPECT_EQ(ways[0].qualifier + "x/y", by_host->name);
  EXPECT_EQ(ways[0].policy, by_host->policy);
  const auto by_name_space = router.route({.name_space = "zot", .repository = "y"});
  ASSERT_TRUE(by_name_space);
  EXPECT_EQ(ways[1].qualifier + "y", by_name_space->name);
  EXPECT_EQ(ways[1].policy, by_name_space->policy);
  EXPECT_EQ(router.reaches({}).at(0).qualifier, "");
}

TEST(Reach, TurnsARegistrysNameIntoTheClients) {
  const Reach prefix{.match = "bp/", .registry = "r", .remote = "backplane/"};
  EXPECT_EQ(prefix.name_of("backplane/x/y"), "bp/x/y");
  EXPECT_EQ(prefix.name_of("backplane/"), std::nullopt);
  EXPECT_EQ(prefix.name_of("backplane"), std::nullopt);
  EXPECT_EQ(prefix.name_of("other/x"), std::nullopt);
  const Reach all{.match = "", .registry = "r", .remote = ""};
  EXPECT_EQ(all.name_of("a/b"), "a/b");
  const Reach exact{.match = "alpine", .registry = "r", .remote = "team/alpine"};
  EXPECT_EQ(exact.name_of("team/alpine"), "alpine");
  EXPECT_EQ(exact.name_of("team/alpine/x"), std::nullopt);
  const Reach official{.match = "hub/alpine", .registry = "docker.io", .remote = "alpine"};
  EXPECT_EQ(official.name_of("library/alpine"), "hub/alpine");
}

}  // namespace
}  // namespace fairlead::routing
