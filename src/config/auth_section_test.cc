// SPDX-License-Identifier: Apache-2.0
// `auth`, and what of routes and registries says who may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"
#include "config/fake_surroundings.h"

namespace fairlead::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
const std::string kKey(64, 'a');
const std::string kUsers = "alice:$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\n";

class AuthSection : public testing::Test {
 protected:
  AuthSection() { fake_.files["/users"] = kUsers; }

  Config good(const std::string& text) {
    auto loaded = parse(text, "f.yaml", {}, fake_.get());
    if (loaded) return *std::move(loaded);
    for (const Problem& problem : loaded.error()) ADD_FAILURE() << to_string(problem);
    return {};
  }

  std::vector<std::string> problems(const std::string& text) {
    const auto loaded = parse(text, "f.yaml", {}, fake_.get());
    std::vector<std::string> out;
    if (loaded) return out;
    for (const Problem& problem : loaded.error()) out.push_back(to_string(problem));
    return out;
  }

  FakeSurroundings fake_;
};

TEST_F(AuthSection, ByDefaultEverybodyMayPull) {
  const Config config = good("");
  EXPECT_EQ(to_string(config.auth.policy.anonymous), "pull");
  EXPECT_FALSE(config.auth.policy.rules);
  EXPECT_FALSE(config.auth.knows_callers());
  EXPECT_THAT(config.auth.keys, IsEmpty());
}

TEST_F(AuthSection, IsReadWhole) {
  fake_.environment["SECRET"] = kSecret;
  const Config config = good(
      "auth:\n"
      "  keys: [" +
      kKey +
      "]\n"
      "  token_ttl: 10m\n"
      "  anonymous: []\n"
      "  users: /users\n"
      "  jwt:\n"
      "    - {algorithm: HS256, secret: env:SECRET, issuer: me, audience: registry, skew: 5s}\n"
      "    - {jwks: https://idp.example/jwks.json, issuer: idp}\n"
      "  rules:\n"
      "    - {who: alice, repositories: ['team/**'], actions: [pull, push]}\n"
      "    - {who: ['*', anonymous], repositories: ['a', 'b/*'], actions: []}\n");
  EXPECT_TRUE(config.auth.policy.anonymous.empty());
  EXPECT_EQ(config.auth.token_ttl, std::chrono::minutes(10));
  EXPECT_EQ(config.auth.users, "/users");
  EXPECT_THAT(config.auth.keys, SizeIs(1));
  ASSERT_THAT(config.auth.jwt, SizeIs(2));
  EXPECT_EQ(config.auth.jwt[0].keys.at(0).material.reveal(), kSecret);
  EXPECT_EQ(config.auth.jwt[0].skew, std::chrono::seconds(5));
  EXPECT_EQ(config.auth.jwt[1].jwks_url, "https://idp.example/jwks.json");
  ASSERT_TRUE(config.auth.policy.rules);
  const auto& rules = *config.auth.policy.rules;
  ASSERT_THAT(rules, SizeIs(2));
  EXPECT_THAT(rules[0].who, ElementsAre("alice"));
  EXPECT_EQ(to_string(rules[0].actions), "pull,push");
  EXPECT_EQ(rules[0].line, 10U);
  EXPECT_THAT(rules[1].who, ElementsAre("*", "anonymous"));
  EXPECT_TRUE(rules[1].actions.empty());
}

TEST_F(AuthSection, WeakAndWrongSecretsAreProblems) {
  const struct {
    std::string auth;
    std::string problem;
  } cases[] = {
      {"keys: [abc]", "auth.keys[0]"},
      {"keys: []", "auth.keys"},
      {"jwt: [{algorithm: HS256, secret: short}]", "auth.jwt[0].secret"},
      {"jwt: [{algorithm: HS512, secret: " + std::string(kSecret) + "}]", "auth.jwt[0].secret"},
      {"jwt: [{algorithm: none, secret: " + std::string(kSecret) + "}]", "auth.jwt[0].algorithm"},
      {"jwt: [{secret: " + std::string(kSecret) + "}]", "needs algorithm"},
      {"jwt: [{algorithm: RS256, secret: " + std::string(kSecret) + "}]", "auth.jwt[0].secret"},
      {"jwt: [{algorithm: HS256, key: /users}]", "auth.jwt[0].key"},
      {"jwt: [{algorithm: RS256, key: /users}]", "auth.jwt[0].key"},
      {"jwt: [{algorithm: RS256, key: /nowhere}]", "auth.jwt[0].key"},
      {"jwt: [{issuer: x}]", "needs one of secret, key and jwks"},
      {"jwt: [{jwks: /users}]", "auth.jwt[0].jwks"},
      {"token_ttl: 59s", "auth.token_ttl"},
      {"users: /nowhere", "auth.users"},
      {"rules: [{who: alice, repositories: [a]}]", "has no actions"},
      {"rules: [{repositories: [a], actions: [pull]}]", "has no who"},
      {"rules: [{who: alice, repositories: ['A'], actions: [pull]}]", "no pattern"},
      {"rules: [{who: alice, repositories: [a], actions: [read]}]", "none of pull, push, delete"},
      {"anonymous: [write]", "none of pull, push, delete"},
  };
  for (const auto& [auth, problem] : cases) {
    const auto found = problems("auth: {" + auth + "}");
    ASSERT_THAT(found, SizeIs(1)) << auth;
    EXPECT_THAT(found[0], HasSubstr(problem)) << auth;
    EXPECT_THAT(found[0], Not(HasSubstr(std::string(kSecret))));
  }
}

TEST_F(AuthSection, AUsersFileThatIsNotRightSaysWhere) {
  fake_.files["/users"] = kUsers + "bob:{SHA}abc\n";
  const auto found = problems("auth: {users: /users}");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr("line 2: bob"));
  EXPECT_THAT(found[0], Not(HasSubstr("abc")));
}

TEST_F(AuthSection, RoutesSayWhoMay) {
  const std::string secret = "0ebb01be-0a22-4639-898c-bc8c2d20942d";
  const Config config = good(
      "routes:\n"
      "  - {match: open/, to: ghcr.io/, anonymous: [pull]}\n"
      "  - {match: closed/, to: ghcr.io/, anonymous: []}\n"
      "  - {match: " +
      secret + "/x, to: ghcr.io/a/b, capability: true}\n");
  EXPECT_EQ(to_string(config.routes.at(0).policy.anonymous.value()), "pull");
  EXPECT_TRUE(config.routes.at(1).policy.anonymous.value().empty());
  EXPECT_TRUE(config.routes.at(2).policy.is_capability);
  const auto found = problems("routes: [{match: " + secret +
                              "/x, to: ghcr.io/a/b, capability: true, anonymous: [pull]}]");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr("exclude each other"));
}

TEST_F(AuthSection, ARegistryRelaysOrHasCredentials) {
  const Config config = good("registries: {corp: {url: https://corp.example, credentials: relay}}");
  EXPECT_TRUE(config.registries.back().relays_credentials);
  const auto found = problems(
      "registries: {corp: {url: https://corp.example, credentials: relay, username: a, password: "
      "b}}");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr("keep one"));
}

TEST_F(AuthSection, RulesThatAreAboutNothingAreWarnedOf) {
  const std::string routes = "routes: [{match: team/, to: ghcr.io/team/}]\n";
  const auto warnings = [&](const std::string& rule) {
    return good(routes + "auth: {anonymous: [], users: /users, rules: [" + rule + "]}").warnings;
  };
  EXPECT_THAT(warnings("{who: alice, repositories: ['team/**', '**/secret'], actions: []}"),
              IsEmpty());
  EXPECT_THAT(warnings("{who: alice, repositories: ['ghcr.io/team/**'], actions: []}"),
              ElementsAre(HasSubstr("matches no name that a route has")));
  EXPECT_THAT(warnings("{who: alcie, repositories: ['team/**'], actions: []}"),
              ElementsAre(HasSubstr("there is no user \"alcie\"")));
}

// The attack: a mirror, asked without the caller's credentials, vouches for them.
TEST_F(AuthSection, ARegistryThatRelaysHasNoMirrors) {
  const auto found = problems(
      "registries: {corp: {url: https://corp.example, credentials: relay, mirrors: "
      "[https://mirror.example]}}");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr("only the registry itself knows its callers"));
}

TEST_F(AuthSection, WhereSomebodyThoughtOfItNobodyIsWarnedOfStrangers) {
  EXPECT_THAT(good("server: {listen: '0.0.0.0:5000'}").warnings,
              ElementsAre(HasSubstr("nobody is asked who they are")));
  EXPECT_THAT(good("server: {listen: '0.0.0.0:5000'}\nauth: {token_ttl: 10m}").warnings,
              ElementsAre(HasSubstr("nobody is asked who they are")));
  EXPECT_THAT(good("server: {listen: '0.0.0.0:5000'}\nauth: {users: /users}").warnings,
              ElementsAre(HasSubstr("who shows nothing may pull everything as well")));
  EXPECT_THAT(good("server: {listen: '0.0.0.0:5000'}\nauth: {anonymous: [pull]}").warnings,
              IsEmpty());
  EXPECT_THAT(good("auth: {anonymous: []}").warnings, ElementsAre(HasSubstr("lets in nobody")));
}

}  // namespace
}  // namespace fairlead::config
