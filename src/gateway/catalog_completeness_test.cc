// SPDX-License-Identifier: Apache-2.0
// A page of the catalog is put together without a look at most names. Here is a look at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>

#include "auth/authorizer.h"
#include "gateway/catalog_page.h"

namespace fairlead::gateway {
namespace {

using routing::RouteOptions;

// All that a caller may pull by a way, found by looking at every name.
std::vector<std::string> all_that_may_be_pulled(const routing::Router& router,
                                                const auth::Policy& policy,
                                                const auth::Caller& caller,
                                                const routing::RouteQuery& place,
                                                const ToldNames& told) {
  std::set<std::string> found;
  for (const routing::Reach& reach : router.reaches(place)) {
    const auto names = told.find(reach.registry);
    if (names == told.end()) continue;
    for (const std::string& repository : *names->second) {
      routing::RouteQuery query = place;
      const std::string name = reach.name_of(repository).value_or("");
      query.repository = name;
      const auto target = name.empty() ? std::unexpected(routing::Unrouted{}) : router.route(query);
      if (!target || target->registry != reach.registry ||
          target->remote_repository != repository || !target->policy->admits(repository)) {
        continue;
      }
      const auth::Wish wish{.repository = target->name,
                            .route_allows = target->policy->allow,
                            .route_anonymous = target->policy->anonymous};
      if (auth::authorize(policy, caller, wish)) found.insert(name);
    }
  }
  return {found.begin(), found.end()};
}

TEST(CatalogPage, NothingIsLostByNotLookingAtAllNames) {
  constexpr auth::Actions kPull{oci::Action::Pull};
  const std::vector<std::string> kParts{"a", "a-b", "ab", "b", "library"};
  std::vector<std::string> names = kParts;
  for (const auto& x : kParts) {
    for (const auto& y : kParts) {
      names.push_back(x + "/" + y);
      for (const auto& z : kParts) names.push_back(x + "/" + y + "/" + z);
    }
  }
  std::ranges::sort(names);
  const auto shared = std::make_shared<const std::vector<std::string>>(std::move(names));
  const ToldNames told{{"zot", shared}, {"docker.io", shared}};
  const std::vector<std::string> kGlobs{"**",   "a/**",     "a*/**",       "*/b",    "ab",
                                        "b/*",  "a/b/**",   "x.test/a/**", "a-**",   "library/a",
                                        "b/**", "hub/a/**", "x.test/**",   "hub/**", "one"};
  std::minstd_rand random(1);
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  const auto pick_anonymous = [&]() -> std::optional<auth::Actions> {
    if (random() % 2 == 0) return std::nullopt;
    return random() % 2 == 0 ? kPull : auth::Actions{};
  };
  std::size_t seen = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<RouteOptions> routes{{.match = "", .to = "zot/"},
                                     {.match = "a/", .to = "zot/b/"},
                                     {.match = "hub/", .to = "docker.io/"},
                                     {.match = "one", .to = "docker.io/a"},
                                     {.match = "b/", .host = "x.test", .to = "zot/a/"},
                                     {.name_space = "x.test", .to = "zot/a/"}};
    for (RouteOptions& route : routes) {
      route.policy.anonymous = pick_anonymous();
      if (random() % 8 == 0) route.policy.allow = auth::Actions{oci::Action::Push};
    }
    if (random() % 3 == 0) routes.front().policy.repositories = {pick(kGlobs), pick(kGlobs)};
    std::vector<auth::Rule> rules;
    for (unsigned i = random() % 5; i > 0; --i) {
      rules.push_back({.who = {pick({"alice", "*", "anonymous"})},
                       .repositories = {pick(kGlobs), pick(kGlobs)},
                       .actions = random() % 3 == 0 ? auth::Actions{} : kPull});
    }
    const auth::Policy policy{
        {.anonymous = random() % 3 == 0 ? kPull : auth::Actions{}, .rules = rules}};
    auth::Caller caller = random() % 2 == 0
                              ? auth::Caller{.kind = auth::Caller::Kind::User, .name = "alice"}
                              : auth::Caller{};
    if (caller.is_identified() && random() % 3 == 0) {
      caller.access = auth::AccessList(
          {{.reach = auth::Access::Reach::Subtree, .name = pick(*shared), .actions = kPull},
           {.name = pick(*shared), .actions = kPull}});
    }
    const routing::RouteQuery place{.host = random() % 3 == 0 ? "x.test" : "",
                                    .name_space = random() % 3 == 0 ? "x.test" : ""};
    const auto built = routing::Router::build(
        routes, {{.name = "docker.io", .has_official_images = true}, {.name = "zot"}});
    ASSERT_TRUE(built) << built.error().front().text;
    const routing::Router& router = *built;
    const auto expected = all_that_may_be_pulled(router, policy, caller, place, told);
    const CatalogView view{.router = router, .policy = policy, .caller = caller, .place = place};
    const auto ways = catalog_ways(view);
    std::vector<std::string> found;
    for (bool has_more = true; has_more;) {
      auto part = catalog_page(view, ways, told, found.empty() ? "" : found.back(), 7);
      found.insert(found.end(), part.names.begin(), part.names.end());
      has_more = part.has_more;
    }
    EXPECT_EQ(found, expected) << "round " << round;
    seen += found.size();
  }
  EXPECT_GT(seen, 1000u);
}

}  // namespace
}  // namespace fairlead::gateway
