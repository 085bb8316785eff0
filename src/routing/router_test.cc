// SPDX-License-Identifier: Apache-2.0
#include "routing/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::routing {
namespace {

using testing::HasSubstr;

const std::vector<RegistryName> kRegistries{
    {.name = "docker.io", .has_official_images = true},
    {.name = "ghcr.io"},
    {.name = "zot"},
    {.name = "localhost:5000"},
};

Router build(const std::vector<RouteOptions>& routes) {
  auto router = Router::build(routes, kRegistries);
  if (!router) {
    for (const auto& problem : router.error()) ADD_FAILURE() << problem.text;
    return *Router::build({}, kRegistries);
  }
  return *std::move(router);
}

// "registry repository", or "none".
std::string ask(const Router& router, const RouteQuery& query) {
  const auto target = router.route(query);
  return target ? target->registry + " " + target->remote_repository : "none";
}

std::string ask_for(const Router& router, std::string_view repository) {
  return ask(router, {.repository = repository});
}

TEST(Router, ATargetHasThePolicyOfItsRoute) {
  const Router router = build({{.match = "a/", .to = "zot/a/", .policy = {.deny = {"a/secret"}}},
                               {.match = "", .to = "zot/"}});
  EXPECT_FALSE(router.route({.repository = "a/secret"})->policy->admits("a/secret"));
  EXPECT_TRUE(router.route({.repository = "b/secret"})->policy->admits("b/secret"));
}

TEST(RoutePolicy, DenyGoesBeforeRepositories) {
  const RoutePolicy policy{.repositories = {"team/**"}, .deny = {"team/*/private"}};
  EXPECT_TRUE(policy.admits("team/app"));
  EXPECT_TRUE(policy.admits("team/app/web"));
  EXPECT_FALSE(policy.admits("team/app/private"));
  EXPECT_FALSE(policy.admits("other/app"));
  EXPECT_TRUE(RoutePolicy{}.admits("any/thing"));
}

TEST(Router, WithoutRoutesThereIsNone) {
  EXPECT_EQ(ask_for(build({}), "docker.io/library/alpine"), "none");
}

TEST(Router, MatchesRepositoriesAndPrefixes) {
  const Router router = build({
      {.match = "alpine", .to = "docker.io/library/alpine"},
      {.match = "bp/", .to = "docker.io/backplane/"},
      {.match = "bp/deep/", .to = "ghcr.io/deep/"},
      {.match = "bp/deep/exact", .to = "zot/exact/one"},
      {.match = "0ebb01be-0a22/nginx", .to = "ghcr.io/modem7/docker-rickroll"},
      {.match = "", .to = "zot/"},
  });
  const struct {
    std::string_view repository;
    std::string_view target;
  } cases[] = {
      {"alpine", "docker.io library/alpine"},
      {"alpine/x", "zot alpine/x"},
      {"alpines", "zot alpines"},
      {"x/alpine", "zot x/alpine"},
      {"bp/nginx", "docker.io backplane/nginx"},
      {"bp/a/b/c", "docker.io backplane/a/b/c"},
      {"bp", "zot bp"},
      {"bpx/a", "zot bpx/a"},
      {"bp/deep", "docker.io backplane/deep"},
      {"bp/deep/a", "ghcr.io deep/a"},
      {"bp/deep/exact", "zot exact/one"},
      {"bp/deep/exact/a", "ghcr.io deep/exact/a"},
      {"0ebb01be-0a22/nginx", "ghcr.io modem7/docker-rickroll"},
      {"0ebb01be-0a22/nginx/x", "zot 0ebb01be-0a22/nginx/x"},
  };
  for (const auto& c : cases) EXPECT_EQ(ask_for(router, c.repository), c.target) << c.repository;
}

TEST(Router, OfficialImagesLiveUnderLibrary) {
  const Router router = build({
      {.match = "docker.io/", .to = "docker.io/"},
      {.match = "ghcr.io/", .to = "ghcr.io/"},
      {.match = "os", .to = "docker.io/debian"},
  });
  EXPECT_EQ(ask_for(router, "docker.io/alpine"), "docker.io library/alpine");
  EXPECT_EQ(ask_for(router, "docker.io/library/alpine"), "docker.io library/alpine");
  EXPECT_EQ(ask_for(router, "docker.io/grafana/grafana"), "docker.io grafana/grafana");
  EXPECT_EQ(ask_for(router, "ghcr.io/alpine"), "ghcr.io alpine");
  EXPECT_EQ(ask_for(router, "os"), "docker.io library/debian");
}

TEST(Router, HostsMatchInAnyCase) {
  const Router router = build({
      {.host = "GHCR.Example.org", .to = "ghcr.io/"},
      {.match = "team/", .host = "ghcr.example.org", .to = "zot/team/"},
      {.match = "only/", .host = "other.example.org", .to = "zot/only/"},
      {.match = "", .to = "docker.io/"},
  });
  for (const std::string_view host :
       {"ghcr.example.org", "GHCR.example.ORG", "ghcr.example.org."}) {
    EXPECT_EQ(ask(router, {.host = host, .repository = "a/b"}), "ghcr.io a/b") << host;
    EXPECT_EQ(ask(router, {.host = host, .repository = "team/b"}), "zot team/b") << host;
  }
  EXPECT_EQ(ask(router, {.host = "x.ghcr.example.org", .repository = "a/b"}), "docker.io a/b");
  EXPECT_EQ(ask(router, {.host = "other.example.org", .repository = "only/b"}), "zot only/b");
  EXPECT_EQ(ask(router, {.host = "other.example.org", .repository = "a/b"}), "docker.io a/b");
  EXPECT_EQ(ask(router, {.host = "", .repository = "a/b"}), "docker.io a/b");
}

TEST(Router, ASubdomainSelectsAConfiguredRegistry) {
  const Router router = build({
      {.host = "*.mirror.example.org", .to = "{1}/"},
      {.host = "*.example.org", .to = "zot/{1}/"},
      {.host = "zot.mirror.example.org", .to = "ghcr.io/exact/"},
      {.match = "", .to = "zot/any/"},
  });
  const struct {
    std::string_view host;
    std::string_view target;
  } cases[] = {
      {"docker.io.mirror.example.org", "docker.io library/a"},
      {"DOCKER.IO.Mirror.Example.Org", "docker.io library/a"},
      {"ghcr.io.mirror.example.org", "ghcr.io a"},
      {"zot.mirror.example.org", "ghcr.io exact/a"},
      {"quay.io.mirror.example.org", "none"},
      {"169.254.169.254.mirror.example.org", "none"},
      {".mirror.example.org", "none"},  // "*.example.org" with {1} = ".mirror"
      {"mirror.example.org", "zot mirror/a"},
      {"docker.io.example.org", "zot docker.io/a"},
      {"-bad-.example.org", "none"},
      {"..%2f.example.org", "none"},
      {"a/b.example.org", "zot a/b/a"},  // a host that no HTTP parser lets through; still harmless
      {"example.org", "zot any/a"},
      {".example.org", "zot any/a"},
      {"mirror.example.org.evil.net", "zot any/a"},
      {"docker.iomirror.example.org", "zot docker.iomirror/a"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ask(router, {.host = c.host, .repository = "a"}), c.target) << c.host;
  }
}

TEST(Router, NamespacesSelectConfiguredRegistriesOnly) {
  const Router router = build({
      {.name_space = "*", .to = "{1}/"},
      {.name_space = "k8s.gcr.io", .to = "ghcr.io/kubernetes/"},
      {.match = "", .to = "zot/"},
  });
  const struct {
    std::string_view name_space;
    std::string_view target;
  } cases[] = {
      {"docker.io", "docker.io library/a"},
      {"Docker.IO", "docker.io library/a"},
      {"ghcr.io", "ghcr.io a"},
      {"k8s.gcr.io", "ghcr.io kubernetes/a"},
      {"localhost:5000", "localhost:5000 a"},
      {"docker.io:443", "none"},
      {"localhost", "none"},
      {"quay.io", "none"},
      {"169.254.169.254", "none"},
      {"*", "none"},
      {"{1}", "none"},
      {"../zot", "none"},
      {"zot/", "none"},
      {"", "zot a"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ask(router, {.name_space = c.name_space, .repository = "a"}), c.target)
        << c.name_space;
  }
}

TEST(Router, ANamespaceThatNoRouteNamesIsNoRoute) {
  const Router router = build({
      {.name_space = "ghcr.io", .to = "ghcr.io/"},
      {.match = "", .to = "docker.io/"},
  });
  EXPECT_EQ(ask(router, {.name_space = "quay.io", .repository = "a/b"}), "none");
  EXPECT_EQ(ask(router, {.name_space = "docker.io", .repository = "a/b"}), "none");
}

TEST(Router, ANamespaceThatIsOurselvesIsNone) {
  const Router router = build({
      {.name_space = "*", .to = "{1}/"},
      {.match = "", .to = "docker.io/"},
  });
  EXPECT_EQ(ask(router, {.host = "cache.local",
                         .authority = "cache.local:5001",
                         .name_space = "Cache.local:5001",
                         .repository = "a/b"}),
            "docker.io a/b");
  EXPECT_EQ(ask(router, {.host = "cache.local",
                         .authority = "cache.local:5001",
                         .name_space = "cache.local",
                         .repository = "a/b"}),
            "none");
}

TEST(Router, HostComesBeforeNamespaceBeforePrefix) {
  const Router router = build({
      {.host = "ghcr.example.org", .to = "ghcr.io/"},
      {.match = "a/", .host = "*.example.org", .to = "zot/wildcard/"},
      {.name_space = "docker.io", .to = "docker.io/"},
      {.match = "a/b", .to = "zot/a/b"},
  });
  EXPECT_EQ(
      ask(router, {.host = "ghcr.example.org", .name_space = "docker.io", .repository = "a/b"}),
      "ghcr.io a/b");
  EXPECT_EQ(ask(router, {.host = "x.example.org", .name_space = "docker.io", .repository = "a/b"}),
            "zot wildcard/b");
  EXPECT_EQ(ask(router, {.host = "x.example.org", .name_space = "docker.io", .repository = "c/b"}),
            "docker.io c/b");
  EXPECT_EQ(ask(router, {.name_space = "docker.io", .repository = "a/b"}), "docker.io a/b");
  EXPECT_EQ(ask_for(router, "a/b"), "zot a/b");
}

TEST(Router, ANameThatGrowsTooLongIsNoRoute) {
  const Router router = build({{.match = "", .to = "docker.io/prefix/"}});
  EXPECT_EQ(ask_for(router, std::string(248, 'a')), "docker.io prefix/" + std::string(248, 'a'));
  EXPECT_EQ(ask_for(router, std::string(249, 'a')), "none");
  const Router hub = build({{.match = "", .to = "docker.io/"}});
  EXPECT_EQ(ask_for(hub, std::string(247, 'a')), "docker.io library/" + std::string(247, 'a'));
  EXPECT_EQ(ask_for(hub, std::string(248, 'a')), "none");
}

TEST(Router, DefaultRoutes) {
  const Router router = build(default_routes(kRegistries));
  EXPECT_EQ(ask_for(router, "docker.io/library/alpine"), "docker.io library/alpine");
  EXPECT_EQ(ask_for(router, "docker.io/alpine"), "docker.io library/alpine");
  EXPECT_EQ(ask_for(router, "ghcr.io/a/b"), "ghcr.io a/b");
  EXPECT_EQ(ask_for(router, "alpine"), "docker.io library/alpine");
  EXPECT_EQ(ask_for(router, "grafana/grafana"), "docker.io grafana/grafana");
  EXPECT_EQ(ask_for(router, "ghcr.io"), "docker.io library/ghcr.io");
  EXPECT_EQ(ask(router, {.name_space = "ghcr.io", .repository = "a"}), "ghcr.io a");
  EXPECT_EQ(ask(router, {.name_space = "localhost:5000", .repository = "a"}), "localhost:5000 a");
  EXPECT_EQ(ask(router, {.name_space = "quay.io", .repository = "a"}), "none");

  const std::vector<RegistryName> only_zot{{.name = "zot"}};
  const auto without_hub = Router::build(default_routes(only_zot), only_zot);
  ASSERT_TRUE(without_hub);
  EXPECT_EQ(ask_for(*without_hub, "zot/a"), "zot a");
  EXPECT_EQ(ask_for(*without_hub, "alpine"), "none");
}

TEST(RouterBuild, ReportsWhatIsWrongWithARoute) {
  const struct {
    RouteOptions route;
    std::string_view text;
  } cases[] = {
      {{.to = "zot/"}, "needs one of match, host and namespace"},
      {{.match = "a/", .name_space = "b", .to = "zot/"}, "cannot be combined"},
      {{.host = "a", .name_space = "b", .to = "zot/"}, "cannot be combined"},
      {{.match = "A/", .to = "zot/"}, "match \"A/\""},
      {{.match = "/", .to = "zot/"}, "match \"/\""},
      {{.match = "a//", .to = "zot/"}, "match \"a//\""},
      {{.match = "*", .to = "zot/a"}, "match \"*\""},
      {{.host = "", .to = "zot/"}, "host \"\""},
      {{.host = "*", .to = "zot/"}, "host \"*\""},
      {{.host = "*.", .to = "zot/"}, "host \"*.\""},
      {{.host = "a.*.b", .to = "zot/"}, "host \"a.*.b\""},
      {{.host = "a:5000", .to = "zot/"}, "without port"},
      {{.host = "a/b", .to = "zot/"}, "host \"a/b\""},
      {{.name_space = "", .to = "zot/"}, "namespace \"\""},
      {{.name_space = "*.io", .to = "zot/"}, "namespace \"*.io\""},
      {{.match = "a/", .to = "{1}/"}, "no * that it could stand for"},
      {{.host = "a", .to = "{1}/"}, "no * that it could stand for"},
      {{.name_space = "a", .to = "{1}/"}, "no * that it could stand for"},
      {{.match = "a/", .to = ""}, "no '/' behind the registry"},
      {{.match = "a/", .to = "zot"}, "no '/' behind the registry"},
      {{.match = "a/", .to = "quay.io/"}, "there is no registry \"quay.io\""},
      {{.match = "a/", .to = "/a/"}, "there is no registry \"\""},
      {{.match = "a/", .to = "zot/b"}, "must end with '/'"},
      {{.match = "", .to = "zot/b"}, "must end with '/'"},
      {{.host = "a", .to = "zot/b"}, "must end with '/'"},
      {{.match = "a/", .to = "zot//"}, "not a registry and a repository prefix"},
      {{.match = "a/", .to = "zot/B/"}, "not a registry and a repository prefix"},
      {{.match = "a/", .to = "https://zot/"}, "there is no registry \"https:\""},
      {{.match = "a", .to = "zot/"}, "does not name the one repository"},
      {{.match = "a", .to = "zot/b/"}, "does not name the one repository"},
  };
  for (const auto& c : cases) {
    RouteOptions route = c.route;
    route.line = 17;
    const auto router = Router::build({route}, kRegistries);
    ASSERT_FALSE(router) << c.text;
    EXPECT_EQ(router.error()[0].line, 17u);
    std::string all;
    for (const auto& problem : router.error()) all += problem.text + "\n";
    EXPECT_THAT(all, HasSubstr(c.text));
  }
}

TEST(RouterBuild, ReportsEverythingAtOnce) {
  const auto router = Router::build({{.match = "a/", .to = "quay.io/", .line = 3},
                                     {.match = "b/", .to = "zot/", .line = 4},
                                     {.match = "b/", .to = "ghcr.io/", .line = 5},
                                     {.match = "c/", .to = "zot/{1}", .line = 6}},
                                    kRegistries);
  ASSERT_FALSE(router);
  ASSERT_EQ(router.error().size(), 4u);
  EXPECT_EQ(router.error()[0].line, 3u);
  EXPECT_EQ(router.error()[1].line, 5u);
  EXPECT_EQ(router.error()[1].text, "an earlier route on line 4 means the same");
  EXPECT_EQ(router.error()[2].line, 6u);
  EXPECT_EQ(router.error()[3].line, 6u);
}

TEST(RouterBuild, RoutesThatMeanTheSameAreRefused) {
  const std::pair<RouteOptions, RouteOptions> pairs[] = {
      {{.match = "", .to = "zot/"}, {.match = "", .to = "zot/"}},
      {{.match = "a", .to = "zot/a"}, {.match = "a", .to = "zot/b"}},
      {{.host = "a", .to = "zot/"}, {.host = "A", .to = "ghcr.io/"}},
      {{.host = "a", .to = "zot/"}, {.match = "", .host = "a", .to = "ghcr.io/"}},
      {{.host = "*.a", .to = "zot/"}, {.host = "*.A", .to = "ghcr.io/"}},
      {{.name_space = "*", .to = "zot/"}, {.name_space = "*", .to = "{1}/"}},
      {{.name_space = "a", .to = "zot/"}, {.name_space = "A", .to = "{1}/"}},
  };
  for (const auto& [first, second] : pairs) {
    EXPECT_FALSE(Router::build({first, second}, kRegistries)) << first.to << " " << second.to;
  }
  EXPECT_TRUE(Router::build({{.match = "a", .to = "zot/a"},
                             {.match = "a/", .to = "zot/a/"},
                             {.match = "a/", .host = "a", .to = "zot/"},
                             {.host = "a", .to = "zot/"},
                             {.host = "*.a", .to = "zot/"},
                             {.name_space = "a", .to = "zot/"}},
                            kRegistries));
}

constexpr std::string_view kSecret = "0ebb01be-0a22-4639-898c-bc8c2d20942d";

RouteOptions capability(std::string match, std::string to) {
  return {.match = std::move(match), .to = std::move(to), .policy = {.is_capability = true}};
}

TEST(Router, ACapabilityLeadsWhereItsNameSays) {
  const std::string secret(kSecret);
  const Router router = build({capability(secret + "/nginx", "ghcr.io/x/y"),
                               capability("a/" + secret + "/", "zot/deep/"),
                               {.match = "", .to = "zot/"}});
  EXPECT_EQ(ask_for(router, secret + "/nginx"), "ghcr.io x/y");
  EXPECT_TRUE(router.route({.repository = secret + "/nginx"})->policy->is_capability);
  EXPECT_EQ(ask_for(router, secret + "/nginx/more"), "zot " + secret + "/nginx/more");
  EXPECT_EQ(ask_for(router, "a/" + secret + "/b/c"), "zot deep/b/c");
  EXPECT_EQ(ask_for(router, "b/" + secret + "/b"), "zot b/" + secret + "/b");
  EXPECT_FALSE(router.route({.repository = "other"})->policy->is_capability);
}

TEST(Router, ACapabilityIsFoundInWhatMustNotBeShown) {
  const std::string secret(kSecret);
  const Router router = build({capability(secret + "/nginx", "ghcr.io/x/y"),
                               capability(secret + "/p/", "zot/deep/"),
                               {.match = secret + "/h",
                                .host = "h.example",
                                .to = "zot/h",
                                .policy = {.is_capability = true}}});
  EXPECT_TRUE(router.holds_capability("", secret + "/nginx"));
  EXPECT_TRUE(router.holds_capability("", secret + "/nginx/manifests/!bad"));
  EXPECT_TRUE(router.holds_capability("", secret + "/p/x/manifests/!bad"));
  EXPECT_FALSE(router.holds_capability("", secret + "/nginx2/manifests/1"));
  EXPECT_FALSE(router.holds_capability("", "library/alpine/manifests/1"));
  EXPECT_FALSE(router.holds_capability("", secret + "/h/manifests/1"));
  EXPECT_TRUE(router.holds_capability("H.example", secret + "/h/manifests/1"));
}

// The attack: each prefix of a path of thousands of components is hashed, for seconds in all.
TEST(Router, ALongPathIsNotLookedAtWithoutEnd) {
  const std::string secret(kSecret);
  const Router router = build({capability(secret + "/nginx", "ghcr.io/x/y")});
  std::string path;
  for (int i = 0; i < 1'000'000; ++i) path += "a/";
  EXPECT_FALSE(router.holds_capability("", path)) << "it would take an hour";
  EXPECT_TRUE(router.holds_capability("", secret + "/nginx/" + path));
}

TEST(Router, WhatIsNotUnderstoodMayHoldACapabilityInAnyWriting) {
  const std::string secret(kSecret);
  const Router router = build({capability(secret + "/nginx", "ghcr.io/x/y")});
  for (const std::string& text :
       {"/v2//" + secret + "/nginx/manifests/1", "/v2/" + secret + "/nginx/manifests/%zz",
        "/token/?scope=repository:" + secret + "/nginx:pull"}) {
    EXPECT_TRUE(router.may_hold_capability(text)) << text;
  }
  EXPECT_FALSE(router.may_hold_capability("/v2/library/alpine/manifests/!bad"));
  const Router without = build({{.match = "", .to = "zot/"}});
  EXPECT_FALSE(without.may_hold_capability("/v2//" + secret + "/nginx/manifests/1"));
}

TEST(Router, ACapabilityThatCanBeGuessedIsAProblem) {
  for (const std::string match : {"short/nginx", "", "team/app/that/is/long/but/in/small/parts"}) {
    const auto router = Router::build({capability(match, "zot/x/")}, kRegistries);
    ASSERT_FALSE(router) << match;
    EXPECT_THAT(router.error()[0].text, HasSubstr("capability"));
  }
}

TEST(Router, ProblemsDoNotShowACapability) {
  const std::string secret(kSecret);
  const auto router = Router::build(
      {capability(secret + "/nginx", "ghcr.io/x/y"), capability(secret + "/nginx", "ghcr.io/x/y"),
       capability(secret + "/two", "ghcr.io/"), capability(secret + "/BAD", "ghcr.io/x")},
      kRegistries);
  ASSERT_FALSE(router);
  EXPECT_GE(router.error().size(), 3U);
  for (const auto& problem : router.error()) {
    EXPECT_EQ(problem.text.find(secret), std::string::npos) << problem.text;
  }
}

std::string name_of(const Router& router, const RouteQuery& query) {
  const auto target = router.route(query);
  return target ? target->name : "unrouted " + target.error().name;
}

TEST(Router, AQualifiedNameSaysHowTheClientGotThere) {
  const Router router = build({{.match = "", .to = "zot/"},
                               {.host = "GHCR.example.org", .to = "ghcr.io/"},
                               {.host = "*.mirror.example.org", .to = "{1}/"},
                               {.name_space = "docker.io", .to = "docker.io/"}});
  EXPECT_EQ(name_of(router, {.repository = "team/app"}), "team/app");
  EXPECT_EQ(name_of(router, {.host = "other", .repository = "team/app"}), "team/app");
  EXPECT_EQ(name_of(router, {.host = "ghcr.EXAMPLE.org.", .repository = "team/app"}),
            "ghcr.example.org/team/app");
  EXPECT_EQ(name_of(router, {.host = "zot.mirror.example.org", .repository = "a"}),
            "zot.mirror.example.org/a");
  EXPECT_EQ(name_of(router, {.name_space = "Docker.io", .repository = "alpine"}),
            "docker.io/alpine");
  EXPECT_EQ(name_of(router, {.name_space = "quay.io", .repository = "team/app"}),
            "unrouted quay.io/team/app");
  EXPECT_EQ(name_of(build({}), {.repository = "team/app"}), "unrouted team/app");
}

}  // namespace
}  // namespace fairlead::routing
