// SPDX-License-Identifier: Apache-2.0
#include "control/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <stdexcept>

#include "config/fake_surroundings.h"

namespace fairlead::control {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kCapability = "0ebb01be-0a22-4639-898c-bc8c2d20942d/nginx";
const std::string kDigest = "sha256:" + std::string(64, 'a');

// Lines count: explanations name them.
constexpr std::string_view kFile =
    R"(server: {listen: ["127.0.0.1:5000"]}
registries:
  corp: {url: "https://corp.example", username: robot, password: secret-password}
  theirs: {url: "https://theirs.example", credentials: relay}
  zot: {url: "http://127.0.0.1:5001"}
auth:
  users: /htpasswd
  rules:
    - {who: alice, repositories: ["team/**"], actions: [pull, push]}
    - {who: bob, repositories: ["team/**"], actions: []}
    - {who: ["*"], repositories: ["team/shared"], actions: [pull]}
    - {who: anonymous, repositories: ["team/**", "ghcr.example.org/**"], actions: []}
routes:
  - {match: team/, to: corp/base/, deny: ["base/secret/**"]}
  - {match: public/, to: zot/, anonymous: [pull]}
  - {match: closed/, to: zot/, anonymous: []}
  - {match: write/, to: zot/, anonymous: [pull]}
  - {match: relayed/, to: theirs/}
  - {match: 0ebb01be-0a22-4639-898c-bc8c2d20942d/nginx, to: corp/base/nginx, capability: true}
  - {host: ghcr.example.org, to: ghcr.io/}
  - {host: "*.mirror.example.org", to: zot/}
  - {namespace: docker.io, to: docker.io/}
  - {match: pushed/, to: corp/pushed/, allow: [pull, push, delete]}
  - {match: drop/, to: zot/drop/, allow: [pull, push], anonymous: [push]}
  - {match: theirs/, to: theirs/, allow: [pull, push, delete]}
)";

config::Config load(std::string_view text = kFile) {
  config::FakeSurroundings surroundings;
  surroundings.files["/htpasswd"] =
      "alice:$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\n";
  auto loaded = config::parse(text, "fairlead.yaml", {}, surroundings.get());
  if (!loaded) throw std::runtime_error(config::to_string(loaded.error().front()));
  for (auto& route : loaded->routes) {
    if (route.match == "write/") route.policy.allow = {oci::Action::Pull, oci::Action::Push};
  }
  loaded->server.public_url = "https://registry.example.com";
  return *std::move(loaded);
}

auth::Caller user(std::string name) {
  return {.kind = auth::Caller::Kind::User, .name = std::move(name)};
}

// Of an image as the client writes it.
Explanation explained(const config::Config& config, std::string_view image,
                      const auth::Caller& caller = {}, oci::Action action = oci::Action::Pull,
                      const std::string& name_space = {}) {
  auto question = parse_image(config, image);
  if (!question) throw std::runtime_error(question.error());
  question->caller = caller;
  question->action = action;
  question->name_space = name_space;
  return explain(config, *question);
}

TEST(ParseImage, FindsHostRepositoryAndReference) {
  struct Case {
    std::string image;
    std::string host;
    std::string repository;
    std::string reference;
  };
  const std::vector<Case> cases{
      {"alpine", "", "alpine", "latest"},
      {"team/app:1.0", "", "team/app", "1.0"},
      {"team/app@" + kDigest, "", "team/app", kDigest},
      {"team/app:1.0@" + kDigest, "", "team/app", kDigest},
      {"docker://team/app", "", "team/app", "latest"},
      {"registry.example.com/team/app:2", "registry.example.com", "team/app", "2"},
      {"docker://registry.example.com/team/app", "registry.example.com", "team/app", "latest"},
      {"127.0.0.1:5000/team/app", "127.0.0.1:5000", "team/app", "latest"},
      {"localhost:5000/team/app:1", "localhost:5000", "team/app", "1"},
      {"[::1]:5000/app", "[::1]:5000", "app", "latest"},
      {"ghcr.example.org/team/app", "ghcr.example.org", "team/app", "latest"},
      {"ghcr.example.org:8443/team/app", "ghcr.example.org:8443", "team/app", "latest"},
      {"a.mirror.example.org/app", "a.mirror.example.org", "app", "latest"},
      // Somebody else's address: the beginning of a repository's name here.
      {"docker.io/library/alpine", "", "docker.io/library/alpine", "latest"},
      {"registry.example.com", "", "registry.example.com", "latest"},
      {"localhost/app", "", "localhost/app", "latest"},
  };
  const auto config = load();
  for (const Case& each : cases) {
    const auto question = parse_image(config, each.image);
    ASSERT_TRUE(question) << each.image << ": " << question.error();
    EXPECT_EQ(question->host, each.host) << each.image;
    EXPECT_EQ(question->repository, each.repository) << each.image;
    EXPECT_EQ(question->reference, each.reference) << each.image;
  }
}

TEST(ParseImage, SaysWhatIsNoImage) {
  struct Case {
    std::string image;
    std::string why;
  };
  const std::vector<Case> cases{
      {"", "no name of a repository"},
      {"Team/app", "\"Team/app\" is no name of a repository"},
      {"team/app:", "\"\" is no tag"},
      {"team/app:a b", "\"a b\" is no tag"},
      {"team/app:.hidden", "is no tag"},
      {"team/app@sha256:abc", "\"sha256:abc\" is no digest"},
      {"team/app@", "\"\" is no digest"},
      {"team/app@latest", "\"latest\" is no digest"},
      {"team//app", "no name of a repository"},
      {"team/\x1b[2J", "\"team/?[2J\""},
      {":1", "no name of a repository"},
      {"127.0.0.1:5000/", "no name of a repository"},
  };
  const auto config = load();
  for (const Case& each : cases) {
    const auto question = parse_image(config, each.image);
    ASSERT_FALSE(question) << each.image;
    EXPECT_THAT(question.error(), HasSubstr(each.why)) << each.image;
  }
}

TEST(Explain, NamesTheRouteAndWhereItLeads) {
  struct Case {
    std::string image;
    std::string name_space;
    std::string name;
    std::size_t line;
    std::string route;
    std::string registry;
    std::string remote;
  };
  const std::vector<Case> cases{
      {"team/app", "", "team/app", 14, "match \"team/\" to \"corp/base/\"", "corp", "base/app"},
      {"registry.example.com/team/app", "", "team/app", 14, "match \"team/\"", "corp", "base/app"},
      {"ghcr.example.org/team/app", "", "ghcr.example.org/team/app", 20,
       "host \"ghcr.example.org\"", "ghcr.io", "team/app"},
      {"ghcr.example.org:8443/a", "", "ghcr.example.org/a", 20, "host \"ghcr.example.org\"",
       "ghcr.io", "a"},
      {"a.mirror.example.org/app", "", "a.mirror.example.org/app", 21,
       "host \"*.mirror.example.org\"", "zot", "app"},
      {"library/alpine", "docker.io", "docker.io/library/alpine", 22, "namespace \"docker.io\"",
       "docker.io", "library/alpine"},
  };
  const auto config = load();
  for (const Case& each : cases) {
    const auto found = explained(config, each.image, user("x"), oci::Action::Pull, each.name_space);
    EXPECT_EQ(found.name, each.name) << each.image;
    EXPECT_EQ(found.route_line, each.line) << each.image;
    EXPECT_THAT(found.route, HasSubstr(each.route)) << each.image;
    EXPECT_EQ(found.registry, each.registry) << each.image;
    EXPECT_EQ(found.remote_repository, each.remote) << each.image;
    EXPECT_FALSE(found.is_capability);
  }
}

TEST(Explain, TellsWhoDecidesAndWhatTheClientGets) {
  struct Case {
    std::string image;
    auth::Caller caller;
    oci::Action action;
    bool is_allowed;
    std::string answer;
    std::string decided_by;
    std::size_t line;
  };
  constexpr auto kPull = oci::Action::Pull;
  constexpr auto kPush = oci::Action::Push;
  const auth::Caller nobody;
  auth::Caller token = {.kind = auth::Caller::Kind::Issued, .name = "ci"};
  token.access = auth::AccessList(
      {{.reach = auth::Access::Reach::Exact, .name = "team/app", .actions = {kPull}}});
  const std::vector<Case> cases{
      {"team/app", nobody, kPull, false, "401 UNAUTHORIZED", "the rule for anonymous gives nothing",
       12},
      {"team/app", user("alice"), kPull, true, "200", "the rule for alice gives pull,push", 9},
      {"team/app", user("bob"), kPull, false, "403 DENIED", "the rule for bob gives nothing", 10},
      {"team/shared", user("carol"), kPull, true, "200", "the rule for * gives pull", 11},
      // Rules that do not mean them: what anonymous callers may.
      {"team/app", user("carol"), kPull, false, "403 DENIED", "the rule for anonymous gives", 12},
      {"team/app", token, kPull, true, "200", "the access list of the token", 0},
      {"team/other", token, kPull, false, "403 DENIED", "the rule for anonymous gives", 12},
      {"closed/app", user("alice"), kPull, false, "403 DENIED", "no rule gives it", 0},
      {"team/app", user("alice"), kPush, false, "403 DENIED", "the route allows pull only", 0},
      {"public/app", nobody, kPull, true, "200", "anonymous of the route gives pull", 0},
      {"public/app", user("carol"), kPull, true, "200", "anonymous of the route", 0},
      {"closed/app", nobody, kPull, false, "401 UNAUTHORIZED", "without credentials may not", 0},
      {"write/app", nobody, kPush, false, "401 UNAUTHORIZED", "anonymous of the route gives pull",
       0},
      {"relayed/app", nobody, kPull, true, "what the registry answers", "own login there", 0},
      {"relayed/app", user("dave"), kPull, true, "what the registry answers", "own login", 0},
      {"relayed/app", nobody, kPush, false, "403 DENIED", "the route allows pull only", 0},
      // Not even whether there is a route is told.
      {"ghcr.example.org/app", nobody, kPull, false, "401 UNAUTHORIZED", "the rule for anonymous",
       12},
  };
  const auto config = load();
  for (const Case& each : cases) {
    const auto found = explained(config, each.image, each.caller, each.action);
    const std::string what = each.image + " by " + auth::label_of(each.caller);
    EXPECT_EQ(found.is_allowed, each.is_allowed) << what;
    EXPECT_THAT(found.answer, HasSubstr(each.answer)) << what;
    EXPECT_THAT(found.decided_by, HasSubstr(each.decided_by)) << what;
    EXPECT_EQ(found.rule_line, each.line) << what;
  }
}

TEST(Explain, TellsWhatAPushAndADeleteGet) {
  constexpr auto kPush = oci::Action::Push;
  constexpr auto kDelete = oci::Action::Delete;
  auto token = user("ci");
  token.access = auth::AccessList({{.reach = auth::Access::Reach::Exact,
                                    .name = "pushed/app",
                                    .actions = {oci::Action::Pull, kPush}}});
  const auto config = load();
  EXPECT_EQ(explained(config, "pushed/app", token, kPush).answer,
            "what the registry answers to its login: 201 when it takes it");
  EXPECT_EQ(explained(config, "theirs/app", user("x"), kDelete).answer,
            "what the registry answers: 202 when it takes it");

  const auto refused = explained(config, "pushed/app", token, kDelete);
  EXPECT_EQ(refused.answer, "403 DENIED");
  EXPECT_EQ(refused.decided_by, "the access list of the token gives pull,push, not delete");
  EXPECT_EQ(explained(config, "pushed/app", {}, kPush).decided_by,
            "auth.anonymous gives pull, not push");

  const auto blind = explained(config, "drop/app", {}, kPush);
  EXPECT_TRUE(blind.is_allowed);
  EXPECT_EQ(blind.answer,
            "what the registry answers without a login: 201 when it takes it; but clients look "
            "first what is there, and fail: pushes need pull, too");
}

TEST(Explain, WithoutRulesWhoIsIdentifiedMayPull) {
  const auto config = load(R"(
auth: {users: /htpasswd, anonymous: []}
routes: [{match: "", to: docker.io/}]
)");
  EXPECT_EQ(explained(config, "app").answer, "401 UNAUTHORIZED");
  const auto found = explained(config, "app", user("alice"));
  EXPECT_TRUE(found.is_allowed);
  EXPECT_THAT(found.decided_by, HasSubstr("whoever is identified may pull"));
}

TEST(Explain, WhereNoRouteLeadsAnonymousCallersLearnNothing) {
  const auto config = load();
  const auto found = explained(config, "nowhere/app", user("alice"));
  EXPECT_FALSE(found.is_allowed);
  EXPECT_EQ(found.answer, "404 NAME_UNKNOWN");
  EXPECT_EQ(found.route, "");
  EXPECT_EQ(found.registry, "");
  EXPECT_EQ(found.name, "nowhere/app");
  const ExplainQuestion question{.repository = "nowhere/app", .caller = user("alice")};
  EXPECT_THAT(to_text(question, found), HasSubstr("none leads anywhere"));

  const auto closed =
      load("auth: {anonymous: [], users: /htpasswd}\nroutes: [{match: a/, to: docker.io/}]\n");
  EXPECT_EQ(explained(closed, "nowhere/app").answer, "401 UNAUTHORIZED");
  EXPECT_EQ(explained(closed, "a/app").answer, "401 UNAUTHORIZED");
}

TEST(Explain, WhatTheRouteDeniesNobodyGets) {
  const auto config = load();
  const auto found = explained(config, "team/secret/app", user("alice"));
  EXPECT_FALSE(found.is_allowed);
  EXPECT_EQ(found.answer, "403 DENIED");
  EXPECT_THAT(found.decided_by, HasSubstr("deny leave it out"));
  EXPECT_EQ(found.remote_repository, "base/secret/app");
}

// The attack: who reads an explanation in a ticket can pull what the capability leads to.
TEST(Explain, ACapabilityIsNotShown) {
  const auto config = load();
  const auto question = parse_image(config, kCapability);
  ASSERT_TRUE(question);
  const auto found = explain(config, *question);
  EXPECT_TRUE(found.is_allowed);
  EXPECT_TRUE(found.is_capability);
  EXPECT_EQ(found.route_line, 19U);
  EXPECT_THAT(found.decided_by, HasSubstr("whoever knows the name may pull"));
  EXPECT_THAT(found.route, Not(HasSubstr("0ebb01be")));
  EXPECT_THAT(found.route, HasSubstr("a capability to \"corp/base/nginx\""));

  const auto pushed = explained(config, kCapability, user("alice"), oci::Action::Push);
  EXPECT_FALSE(pushed.is_allowed);
  EXPECT_EQ(pushed.answer, "403 DENIED");

  // Nearly right is not right, and says nothing either.
  const auto near = explained(config, "0ebb01be-0a22-4639-898c-bc8c2d20942e/nginx");
  EXPECT_FALSE(near.is_allowed);
  EXPECT_FALSE(near.is_capability);
  EXPECT_EQ(near.route, "");
}

TEST(Explain, TellsWhoseCredentialsTheUpstreamSees) {
  const auto config = load();
  EXPECT_EQ(explained(config, "team/app", user("alice")).shown_upstream, "those of \"robot\"");
  EXPECT_THAT(explained(config, "relayed/app").shown_upstream, HasSubstr("the caller's own"));
  EXPECT_EQ(explained(config, "public/app").shown_upstream, "none");

  const ExplainQuestion question{.repository = "team/app", .caller = user("alice")};
  const auto found = explain(config, question);
  EXPECT_THAT(to_text(question, found) + to_json(question, found),
              Not(HasSubstr("secret-password")));
}

TEST(Explain, TellsHowBytesTravel) {
  const auto delivered = [](const std::string& more) {
    const auto config = load("registries: {zot: {url: 'https://zot.example', " + more +
                             "}}\nroutes: [{match: '', to: zot/}, {match: s/, to: zot/, deliver: "
                             "stream}]\ncache: {s3: {name: cached}}");
    return std::pair(explained(config, "app").delivered, explained(config, "s/app").delivered);
  };
  EXPECT_EQ(delivered("deliver: stream").first, "through the gateway");
  const auto [redirected, streamed] = delivered("deliver: redirect");
  EXPECT_EQ(redirected,
            "layers by redirect to the cache's bucket cached; the rest through the gateway");
  EXPECT_EQ(streamed, "through the gateway");
  EXPECT_EQ(delivered("bucket: {name: images, layout: oci}, stream_to: [10.0.0.0/8], deliver: "
                      "{blobs: redirect, manifests: redirect}")
                .first,
            "all by redirect to the registry's bucket images, save for clients in stream_to");
}

TEST(Explain, IsShownAsLinesAndAsJson) {
  const auto config = load();
  const ExplainQuestion question{
      .repository = "team/app", .reference = "1", .caller = user("alice")};
  const auto found = explain(config, question);
  const std::string text = to_text(question, found);
  for (const char* line :
       {"caller      alice\n", "action      pull\n", "name        team/app\n",
        "route       line 14: match \"team/\" to \"corp/base/\"\n",
        "registry    corp at https://corp.example\n", "repository  base/app\n",
        "decided by  line 9: the rule for alice gives pull,push\n", "answer      200"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  const auto json = boost::json::parse(to_json(question, found)).as_object();
  EXPECT_TRUE(json.at("allowed").as_bool());
  EXPECT_EQ(json.at("rule_line").as_int64(), 9);
  EXPECT_EQ(json.at("registry"), "corp");
  EXPECT_THAT(to_text({.repository = "team/app"}, explained(config, "team/app")),
              HasSubstr("caller      anonymous\n"));
}

}  // namespace
}  // namespace fairlead::control
