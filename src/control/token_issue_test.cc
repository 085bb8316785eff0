// SPDX-License-Identifier: Apache-2.0
#include "control/token_issue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "auth/fake_issuer.h"
#include "auth/jwt.h"
#include "auth/jwt_claims.h"
#include "testing/manual_clock.h"

namespace fairlead::control {
namespace {

using namespace std::chrono_literals;
using auth::Access;
using auth::JwtAlgorithm;
using auth::JwtIssuerOptions;
using ::testing::HasSubstr;

Access access(Access::Reach reach, std::string name, auth::Actions actions = {oci::Action::Pull}) {
  return {.reach = reach, .name = std::move(name), .actions = actions};
}

auth::SealedTokens sealed_tokens() {
  const std::array keys{Secret(std::string(64, 'a'))};
  return auth::SealedTokens(*auth::TokenKeys::parse(keys));
}

class TokenIssueTest : public ::testing::Test {
 protected:
  [[nodiscard]] Issued jwt(const TokenWish& wish, const std::optional<Secret>& key = {}) const {
    return issue_jwt(wish, issuers_, key, clock_.wall());
  }

  // What an issuer's entry makes of a token.
  [[nodiscard]] Result<auth::Caller> accepted(const Issued& issued,
                                              const JwtIssuerOptions& entry) const {
    auto claims = auth::verify_jwt(issued->token, entry.keys.front());
    if (!claims) return std::unexpected(claims.error());
    return auth::read_claims(*claims, {.issuer = entry.issuer, .audience = entry.audience},
                             clock_.wall());
  }

  fairlead::testing::ManualClock clock_;
  std::vector<JwtIssuerOptions> issuers_{
      {.keys = {auth::verifying_key(JwtAlgorithm::RS256, "rsa")},
       .issuer = "rsa-issuer",
       .audience = "registry"},
      {.keys = {auth::signing_key(JwtAlgorithm::HS256)}, .issuer = "first", .audience = "registry"},
      {.keys = {auth::signing_key(JwtAlgorithm::HS512, "b")}, .issuer = "second", .audience = ""}};
};

TEST_F(TokenIssueTest, TheFirstSecretOfTheConfigurationSigns) {
  const auto issued = jwt({.subject = "ci", .repositories = {"team/app"}, .actions = "pull,push"});
  ASSERT_TRUE(issued) << issued.error();
  EXPECT_EQ(issued->warning, "");
  const auto caller = accepted(issued, issuers_[1]);
  ASSERT_TRUE(caller) << caller.error().context;
  EXPECT_EQ(caller->name, "ci");
  EXPECT_EQ(caller->expires,
            std::chrono::floor<std::chrono::seconds>(clock_.wall()) + std::chrono::hours(1));
  EXPECT_EQ(caller->access, auth::AccessList({access(Access::Reach::Exact, "team/app",
                                                     {oci::Action::Pull, oci::Action::Push})}));
}

TEST_F(TokenIssueTest, AnotherSecretIsTakenByAlgorithmKeyIdOrIssuer) {
  for (const TokenWish& wish : {TokenWish{.subject = "ci", .algorithm = "HS512"},
                                TokenWish{.subject = "ci", .algorithm = "HS512", .kid = "b"},
                                TokenWish{.subject = "ci", .issuer = "second"}}) {
    const auto issued = jwt(wish);
    ASSERT_TRUE(issued) << issued.error();
    EXPECT_TRUE(accepted(issued, issuers_[2]));
    EXPECT_EQ(auth::read_jwt_header(issued->token)->kid, "b");
  }
}

TEST_F(TokenIssueTest, APrivateKeySignsForTheEntryThatHasThePublicOne) {
  const auto key = auth::signing_key(JwtAlgorithm::RS256).material;
  const auto issued = jwt({.subject = "ci", .algorithm = "RS256", .kid = "rsa"}, key);
  ASSERT_TRUE(issued) << issued.error();
  EXPECT_EQ(issued->warning, "");
  EXPECT_TRUE(accepted(issued, issuers_[0]));
}

TEST_F(TokenIssueTest, WarnsWhereTheConfigurationWouldNotAcceptIt) {
  const Secret other(auth::other_rsa_pair().private_pem());
  EXPECT_THAT(jwt({.subject = "ci", .algorithm = "RS256"}, other)->warning,
              HasSubstr("no entry of auth.jwt has this key"));
  EXPECT_THAT(jwt({.subject = "ci", .audience = "elsewhere"})->warning, HasSubstr("\"registry\""));
  issuers_.clear();
  EXPECT_THAT(jwt({.subject = "ci", .algorithm = "RS256"}, other)->warning,
              HasSubstr("no auth.jwt"));
}

TEST_F(TokenIssueTest, TheFormThatCanSayItIsTaken) {
  struct Case {
    std::vector<std::string> repositories;
    std::string form;
    std::vector<Access> given;
  };
  const std::vector<Case> cases{
      {{"a", "b/c"}, "", {access(Access::Reach::Exact, "a"), access(Access::Reach::Exact, "b/c")}},
      {{"a", "a"}, "distribution", {access(Access::Reach::Exact, "a")}},
      {{"a/**", "b/"},
       "",
       {access(Access::Reach::Subtree, "a"), access(Access::Reach::Subtree, "b")}},
      {{"docker.io/library/**"},
       "repositories",
       {access(Access::Reach::Subtree, "docker.io/library")}},
      {{"**"}, "", {access(Access::Reach::All, "")}},
      {{"**"}, "repositories", {access(Access::Reach::All, "")}},
  };
  for (const Case& each : cases) {
    const auto issued = jwt({.repositories = each.repositories, .form = each.form});
    ASSERT_TRUE(issued) << issued.error();
    EXPECT_EQ(accepted(issued, issuers_[1])->access, auth::AccessList(each.given));
  }
}

TEST_F(TokenIssueTest, WithoutRepositoriesTheRulesDecide) {
  EXPECT_EQ(accepted(jwt({.subject = "ci"}), issuers_[1])->access, std::nullopt);
  const auto sealed = issue_sealed_token({.subject = "ci"}, sealed_tokens(), clock_.wall());
  EXPECT_EQ(sealed_tokens().open(sealed->token, clock_.wall())->access, std::nullopt);
}

TEST_F(TokenIssueTest, ASealedTokenHoldsEveryReach) {
  const auto issued = issue_sealed_token({.subject = "ci",
                                          .repositories = {"team/app", "team/lib/**"},
                                          .actions = "*",
                                          .lifetime = "90s"},
                                         sealed_tokens(), clock_.wall());
  ASSERT_TRUE(issued) << issued.error();
  const auto caller = sealed_tokens().open(issued->token, clock_.wall() + 89s);
  ASSERT_TRUE(caller) << caller.error().context;
  EXPECT_EQ(caller->name, "ci");
  EXPECT_TRUE(caller->is_identified());
  EXPECT_EQ(caller->access,
            auth::AccessList({access(Access::Reach::Exact, "team/app", auth::Actions::all()),
                              access(Access::Reach::Subtree, "team/lib", auth::Actions::all())}));
  EXPECT_FALSE(sealed_tokens().open(issued->token, clock_.wall() + 91s));
}

TEST_F(TokenIssueTest, RefusesNonsense) {
  struct Case {
    TokenWish wish;
    std::string why;
  };
  const std::vector<Case> cases{
      {{}, "--subject"},
      {{.subject = "ci", .actions = "push"}, "--actions"},
      {{.subject = "anonymous"}, "no usable name"},
      {{.subject = "a\nb"}, "no usable name"},
      {{.subject = std::string(257, 'a')}, "no usable name"},
      {{.repositories = {"Team/app"}}, "\"Team/app\" is no name"},
      {{.repositories = {"team/*"}}, "team/** for"},
      {{.repositories = {"team*/**"}}, "is no name"},
      {{.repositories = {""}}, "is no name"},
      {{.repositories = {"/"}}, "is no name"},
      {{.repositories = {"/**"}}, "is no name"},
      {{.repositories = {"team//"}}, "is no name"},
      {{.repositories = {"**", "a"}}, "everything"},
      {{.repositories = std::vector<std::string>(1, "a"), .actions = "pull,fly"}, "\"fly\""},
      {{.repositories = {"a"}, .actions = "pull,"}, "--actions"},
      {{.subject = "ci", .lifetime = "60"}, "no unit"},
      {{.subject = "ci", .lifetime = "0"}, "below a second"},
      {{.subject = "ci", .lifetime = "999ms"}, "below a second"},
      {{.subject = "ci", .lifetime = "3651d"}, "ten years"},
      {{.subject = "ci", .lifetime = "-1h"}, "--lifetime"},
  };
  for (const Case& each : cases) {
    const auto issued = jwt(each.wish);
    ASSERT_FALSE(issued) << each.why;
    EXPECT_THAT(issued.error(), HasSubstr(each.why));
    const auto sealed = issue_sealed_token(each.wish, sealed_tokens(), clock_.wall());
    ASSERT_FALSE(sealed) << each.why;
    EXPECT_THAT(sealed.error(), HasSubstr(each.why));
  }
}

TEST_F(TokenIssueTest, RefusesWhatAJwtCannotSay) {
  const Secret rsa = auth::signing_key(JwtAlgorithm::RS256).material;
  struct Case {
    TokenWish wish;
    std::optional<Secret> key;
    std::string why;
  };
  const std::vector<Case> cases{
      {{.repositories = {"a", "b/**"}}, {}, "both exact names and subtrees"},
      {{.repositories = {"b/**"}, .form = "distribution"}, {}, "exact names only"},
      {{.repositories = {"**"}, .form = "distribution"}, {}, "exact names only"},
      {{.repositories = {"a"}, .form = "repositories"}, {}, "write a/**"},
      {{.subject = "ci", .form = "distribution"}, {}, "--form"},
      {{.subject = "ci", .algorithm = "none"}, {}, "\"none\" is none of HS256"},
      {{.subject = "ci", .algorithm = "HS384"}, {}, "no secret of auth.jwt has that"},
      {{.subject = "ci", .algorithm = "RS256"}, {}, "no secret of auth.jwt has that"},
      {{.subject = "ci"}, rsa, "needs --algorithm"},
      {{.subject = "ci", .algorithm = "ES256"}, rsa, "P-256"},
      {{.subject = "ci", .algorithm = "HS256"}, rsa, "PEM"},
      {{.subject = "ci", .algorithm = "HS256"}, Secret("short"), "32 at least"},
      {{.subject = "ci", .algorithm = "RS256"},
       auth::verifying_key(JwtAlgorithm::RS256).material,
       "public key cannot sign"},
      {{.subject = "ci", .algorithm = "RS256", .kid = std::string(257, 'k')}, rsa, "key id"},
  };
  for (const Case& each : cases) {
    const auto issued = jwt(each.wish, each.key);
    ASSERT_FALSE(issued) << each.why;
    EXPECT_THAT(issued.error(), HasSubstr(each.why));
  }
  issuers_.erase(issuers_.begin() + 1, issuers_.end());
  EXPECT_THAT(jwt({.subject = "ci"}).error(), HasSubstr("no secret to sign with"));
}

TEST_F(TokenIssueTest, RefusesWhatASealedTokenHasNot) {
  const auto seal = [&](const TokenWish& wish) {
    return issue_sealed_token(wish, sealed_tokens(), clock_.wall());
  };
  EXPECT_THAT(seal({.subject = "ci", .algorithm = "HS256"}).error(), HasSubstr("--algorithm"));
  EXPECT_THAT(seal({.subject = "ci", .kid = "a"}).error(), HasSubstr("--kid"));
  EXPECT_THAT(seal({.subject = "ci", .issuer = "a"}).error(), HasSubstr("--issuer"));
  EXPECT_THAT(seal({.subject = "ci", .audience = "a"}).error(), HasSubstr("--audience"));
  EXPECT_THAT(seal({.subject = "ci", .form = "repositories"}).error(), HasSubstr("--form"));

  TokenWish large{.subject = "ci"};
  for (int i = 0; i < 900; ++i)
    large.repositories.push_back("team/application-" + std::to_string(i));
  EXPECT_THAT(seal(large).error(), HasSubstr("would not fit into a request"));
  for (int i = 900; i < 1001; ++i) large.repositories.push_back("a" + std::to_string(i));
  EXPECT_THAT(seal(large).error(), HasSubstr("more than 1000"));
}

}  // namespace
}  // namespace fairlead::control
