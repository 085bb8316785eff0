// SPDX-License-Identifier: Apache-2.0
#include "control/token_inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>

#include "auth/fake_issuer.h"
#include "auth/jwt.h"
#include "auth/sealed_token.h"
#include "testing/manual_clock.h"

namespace fairlead::control {
namespace {

using namespace std::chrono_literals;
using auth::Access;
using auth::Caller;
using auth::JwtAlgorithm;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TokenReport::Kind;

class TokenInspectTest : public ::testing::Test {
 protected:
  [[nodiscard]] TokenReport inspect(std::string_view token) const {
    return inspect_token(token, checks_, clock_);
  }

  [[nodiscard]] std::string seal(const Caller& caller, const std::string& key = kKey) const {
    const std::array keys{Secret(key)};
    return *auth::SealedTokens(*auth::TokenKeys::parse(keys))
                .seal(caller, clock_.wall(), clock_.wall() + 1h);
  }

  [[nodiscard]] std::int64_t now() const {
    return std::chrono::floor<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
  }

  [[nodiscard]] std::string jwt(boost::json::object claims,
                                JwtAlgorithm algorithm = JwtAlgorithm::HS256) const {
    if (!claims.contains("exp")) claims["exp"] = now() + 3600;
    return *auth::sign_jwt(claims, auth::signing_key(algorithm, "a"));
  }

  static inline const std::string kKey = std::string(64, 'a');
  fairlead::testing::ManualClock clock_;
  TokenChecks checks_{
      .keys = {Secret(kKey)},
      .why_no_keys = {},
      .issuers = {{.keys = {auth::signing_key(JwtAlgorithm::HS256)}, .issuer = "me"}}};
};

Caller ci() {
  Caller caller{.kind = Caller::Kind::Issued, .name = "ci"};
  caller.access = auth::AccessList(
      {{.reach = Access::Reach::Subtree, .name = "team", .actions = {oci::Action::Pull}}});
  return caller;
}

TEST_F(TokenInspectTest, TellsWhatASealedTokenSays) {
  const auto report = inspect(seal(ci()));
  EXPECT_TRUE(report.is_accepted) << report.why_not;
  EXPECT_EQ(report.kind, Kind::Sealed);
  EXPECT_TRUE(report.key_id.starts_with("k4.lid."));
  const std::string text = to_text(report, clock_.wall());
  EXPECT_THAT(text, HasSubstr("who         ci,"));
  EXPECT_THAT(text, HasSubstr("gives       team and all below it: pull\n"));
  EXPECT_THAT(text, HasSubstr("(in 1 h)\n"));
  EXPECT_THAT(text, HasSubstr("accepted    yes\n"));
}

// The attack: whoever may run the command gets a user's password for the upstream.
TEST_F(TokenInspectTest, NeverShowsWhatItRelays) {
  Caller caller{.kind = Caller::Kind::Relayed, .name = "bob"};
  caller.relayed.push_back({.registry = "corp",
                            .repository = "team/app",
                            .actions = {oci::Action::Pull},
                            .authorization = Secret("Bearer upstream-token")});
  const auto report = inspect(seal(caller));
  ASSERT_TRUE(report.is_accepted) << report.why_not;
  const std::string text = to_text(report, clock_.wall());
  EXPECT_THAT(text, HasSubstr("corp/team/app: pull, as [redacted]"));
  EXPECT_THAT(to_json(report), HasSubstr(R"("authorization":"[redacted]")"));
  EXPECT_THAT(text + to_json(report), Not(HasSubstr("upstream-token")));
}

TEST_F(TokenInspectTest, TellsWhyASealedTokenIsRefused) {
  const std::string good = seal(ci());
  std::string tampered = good;
  tampered[20] = tampered[20] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(inspect(tampered).is_accepted);
  EXPECT_FALSE(inspect(tampered).is_readable);

  const auto foreign = inspect(seal(ci(), std::string(64, 'b')));
  EXPECT_THAT(foreign.why_not, HasSubstr("no key that is known here"));
  EXPECT_FALSE(foreign.is_readable);
  EXPECT_TRUE(foreign.key_id.starts_with("k4.lid."));

  clock_.advance(2h);
  const auto expired = inspect(good);
  EXPECT_THAT(expired.why_not, HasSubstr("expired"));
  EXPECT_THAT(to_text(expired, clock_.wall()),
              AllOf(HasSubstr("team and all below it"), HasSubstr("(1 h ago)")));

  checks_.keys.clear();
  checks_.why_no_keys = "there is no key";
  EXPECT_EQ(inspect(good).why_not, "there is no key");
}

TEST_F(TokenInspectTest, TellsWhatAJwtSays) {
  const boost::json::array access{boost::json::object{
      {"type", "repository"}, {"name", "team/app"}, {"actions", boost::json::array{"pull"}}}};
  const auto report = inspect(jwt({{"iss", "me"},
                                   {"aud", boost::json::array{"a", "b"}},
                                   {"sub", "ci"},
                                   {"nbf", now()},
                                   {"iat", now() - 90},
                                   {"jti", "42"},
                                   {"access", access}}));
  EXPECT_TRUE(report.is_accepted) << report.why_not;
  const std::string text = to_text(report, clock_.wall());
  for (const char* line :
       {"kind        JWT\n", "algorithm   HS256\n", "key id      a\n", "issuer      me\n",
        "audience    [\"a\",\"b\"]\n", "gives       team/app: pull\n", "claim       jti \"42\"\n",
        "(1 min 30 s ago)\n", "not before  ", "accepted    yes\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  const auto json = boost::json::parse(to_json(report)).as_object();
  EXPECT_EQ(json.at("claims").at("jti"), "42");
  EXPECT_EQ(json.at("header").at("alg"), "HS256");
  EXPECT_EQ(json.at("access").at(0).at("name"), "team/app");
  EXPECT_TRUE(json.at("accepted").as_bool());
}

TEST_F(TokenInspectTest, TellsWhyAJwtIsRefused) {
  struct Case {
    std::string token;
    std::string why;
  };
  const auto claims = R"({"iss":"me","exp":)" + std::to_string(now() + 60) + "}";
  const auto key = auth::signing_key(JwtAlgorithm::HS256);
  std::string tampered = jwt({{"iss", "me"}});
  tampered.back() = tampered.back() == 'A' ? 'E' : 'A';
  const std::vector<Case> cases{
      {jwt({{"iss", "me"}, {"exp", now() - 3600}}), "expired"},
      {jwt({{"iss", "me"}, {"nbf", now() + 3600}}), "not valid yet"},
      {jwt({{"iss", "other"}}), "another issuer"},
      {jwt({{"iss", "me"}}, JwtAlgorithm::ES256), "no key is known"},
      {jwt({{"iss", "me"}, {"access", "all"}}), "access claim is malformed"},
      {tampered, "signature is wrong"},
      {auth::raw_token(R"({"alg":"none"})", claims, key), "algorithm is not accepted"},
      {auth::raw_token(R"({"alg":"HS256"})", R"({"iss":"me","exp":1e400})", key), "malformed"},
      {auth::raw_token(R"({"alg":"HS256"})", "[]", key), "claims are malformed"},
  };
  for (const Case& each : cases) {
    const auto report = inspect(each.token);
    EXPECT_EQ(report.kind, Kind::Jwt) << each.why;
    EXPECT_FALSE(report.is_accepted) << each.why;
    EXPECT_THAT(to_text(report, clock_.wall()), HasSubstr("accepted    no: "));
    EXPECT_THAT(report.why_not, HasSubstr(each.why));
  }
  checks_.issuers.clear();
  EXPECT_THAT(inspect(jwt({{"iss", "me"}})).why_not, HasSubstr("no auth.jwt"));
}

TEST_F(TokenInspectTest, SaysThatPublishedKeysAreNotFetched) {
  checks_.issuers = {{.jwks_url = "https://issuer.example/keys", .issuer = "idp"}};
  const auto report = inspect(jwt({{"iss", "idp"}}, JwtAlgorithm::RS256));
  EXPECT_FALSE(report.is_accepted);
  EXPECT_THAT(report.why_not, HasSubstr("not fetched here"));
}

// The attack: a name with escape sequences that write "accepted yes" over the verdict.
TEST_F(TokenInspectTest, WhatItShowsIsFitForATerminal) {
  const auto key = auth::signing_key(JwtAlgorithm::HS256);
  const auto report =
      inspect(auth::raw_token(R"({"alg":"HS256","x\u001b[2J":"\u001b[1A"})",
                              "{\"sub\":\"\\u001b[1Aaccepted "
                              "yes\\n\\u009b2J\",\"iss\":\"\\u0000\",\"a\\u001bb\":\"\u009b\"}",
                              key));
  for (const char c : to_text(report, clock_.wall())) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f)) << static_cast<int>(c);
  }
  std::size_t accepted = 0;
  const std::string text = to_text(report, clock_.wall());
  for (auto at = text.find("\naccepted"); at != std::string::npos;
       at = text.find("\naccepted", at + 1)) {
    ++accepted;
  }
  EXPECT_EQ(accepted, 1U);
}

TEST_F(TokenInspectTest, WhatIsNoTokenIsCalledThat) {
  for (const char* text : {"", "password", "a.b.c", "..", "eyJ.eyJ.eyJ", "v4.public.abc"}) {
    const auto report = inspect(text);
    EXPECT_EQ(report.kind, Kind::Neither) << text;
    EXPECT_FALSE(report.is_accepted);
    EXPECT_THAT(to_text(report, clock_.wall()), HasSubstr("neither a JWT nor a sealed token"));
  }
  EXPECT_FALSE(inspect("v4.local.").is_accepted);
}

}  // namespace
}  // namespace fairlead::control
