// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt_issuers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "auth/fake_issuer.h"
#include "auth/fake_key_fetcher.h"
#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

const std::string kUrl = "https://idp/keys";

class JwtIssuersTest : public fairlead::testing::CoroutineTest {
 protected:
  void accept(std::vector<JwtIssuerOptions> options) {
    auto made = JwtIssuers::make(std::move(options), clock_, log_);
    ASSERT_TRUE(made) << made.error().context;
    issuers_ = *std::move(made);
  }

  // Good for an hour; `more` changes claims, null takes one away.
  std::string token(const JwtKey& key, const json::object& more = {}) {
    json::object claims{{"sub", "alice"}, {"exp", now() + 3600}, {"iat", now()}};
    for (const auto& [name, value] : more) {
      if (value.is_null()) {
        claims.erase(name);
      } else {
        claims[name] = value;
      }
    }
    return *sign_jwt(claims, key);
  }
  std::int64_t now() const {
    return std::chrono::floor<std::chrono::seconds>(clock_.wall()).time_since_epoch().count();
  }

  Result<Caller> verify(const std::string& token) { return run(issuers_->verify(token, fetcher_)); }
  // Why it is refused; "" when it is not.
  std::string refusal(const std::string& token) {
    const auto caller = verify(token);
    if (caller) return "";
    EXPECT_TRUE(caller.error().code == Code::Unauthorized || caller.error().code == Code::Denied);
    EXPECT_EQ(caller.error().origin, Origin::Client);
    return caller.error().context;
  }

  testing::ManualClock clock_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  FakeKeyFetcher fetcher_;
  std::unique_ptr<JwtIssuers> issuers_;
};

JwtIssuerOptions with_keys(std::vector<JwtKey> keys, const std::string& issuer = "",
                           const std::string& audience = "") {
  return {.keys = std::move(keys),
          .jwks_url = "",
          .algorithm = {},
          .issuer = issuer,
          .audience = audience};
}
JwtIssuerOptions with_url(const std::string& url, const std::string& issuer = "") {
  return {.keys = {}, .jwks_url = url, .algorithm = {}, .issuer = issuer, .audience = ""};
}

const JwtKey kHs256 = signing_key(JwtAlgorithm::HS256);

TEST_F(JwtIssuersTest, ABearerIsWhoTheTokenSays) {
  accept({with_keys({verifying_key(JwtAlgorithm::RS256)})});
  const auto caller = verify(token(signing_key(JwtAlgorithm::RS256),
                                   {{"access", {{"type", "repositories"}, {"repos", {"team"}}}}}));
  ASSERT_TRUE(caller) << caller.error().context;
  EXPECT_EQ(caller->kind, Caller::Kind::Issued);
  EXPECT_EQ(caller->name, "alice");
  EXPECT_EQ(caller->expires, WallTime(std::chrono::seconds(now() + 3600)));
  ASSERT_TRUE(caller->access);
  EXPECT_TRUE(caller->access->allowed("team/app").has(oci::Action::Pull));
  EXPECT_TRUE(fetcher_.fetched.empty());
}

TEST_F(JwtIssuersTest, EveryRefusalSaysWhy) {
  accept({with_keys({verifying_key(JwtAlgorithm::HS256, "k")}, "me", "registry")});
  const JwtKey key = signing_key(JwtAlgorithm::HS256, "k");
  const json::object good{{"iss", "me"}, {"aud", "registry"}};
  const auto but = [&](const std::string& name, const json::value& value) {
    json::object claims = good;
    claims[name] = value;
    return token(key, claims);
  };
  ASSERT_EQ(refusal(token(key, good)), "");
  EXPECT_EQ(refusal(but("exp", now() - 60)), "the token has expired");
  // Told apart from what no issuer of ours has signed: it may be good elsewhere.
  EXPECT_EQ(verify(but("exp", now() - 60)).error().code, Code::Denied);
  EXPECT_EQ(verify(but("aud", "mail")).error().code, Code::Denied);
  EXPECT_EQ(
      verify(token({JwtAlgorithm::HS256, Secret(std::string(64, 'x')), "k"}, good)).error().code,
      Code::Unauthorized);
  EXPECT_EQ(refusal(but("exp", nullptr)), "the token has no claim `exp`");
  EXPECT_EQ(refusal(but("exp", "1")), "the token's claim `exp` is malformed");
  EXPECT_EQ(refusal(but("nbf", now() + 61)), "the token is not valid yet");
  EXPECT_EQ(refusal(but("iss", "you")), "the token is of another issuer");
  EXPECT_EQ(refusal(but("iss", nullptr)), "the token is of another issuer");
  EXPECT_EQ(refusal(but("aud", "mail")), "the token is for another audience");
  EXPECT_EQ(refusal(but("aud", nullptr)), "the token is for another audience");
  EXPECT_THAT(refusal(but("access", "all")), ::testing::HasSubstr("access claim is malformed"));
  EXPECT_EQ(refusal(token({JwtAlgorithm::HS256, key.material, "other"}, good)),
            "no key is known that may have signed the token");
  EXPECT_EQ(refusal(token({JwtAlgorithm::HS512, key.material, "k"}, good)),
            "no key is known that may have signed the token");
  EXPECT_EQ(refusal(token({JwtAlgorithm::HS256, Secret(std::string(64, 'x')), "k"}, good)),
            "the token's signature is wrong");
  EXPECT_EQ(refusal(std::string(20'000, 'A')), "the token is above 16 KiB");
  EXPECT_NE(refusal("password"), "");

  const std::string signed_token = token(key, good);
  const auto payload = signed_token.find('.') + 1;
  const auto signature = signed_token.rfind('.');
  const std::string other = but("sub", "root");
  const std::string spliced = other.substr(0, other.rfind('.')) + signed_token.substr(signature);
  EXPECT_EQ(refusal(spliced), "the token's signature is wrong");
  for (const std::string alg : {"none", "None", "NONE", "nOnE"}) {
    const std::string header = base64url_encode(R"({"alg":")" + alg + "\"}");
    EXPECT_NE(refusal(header + '.' + signed_token.substr(payload)), "");
    EXPECT_NE(refusal(header + '.' + signed_token.substr(payload, signature - payload + 1)), "");
  }
}

TEST_F(JwtIssuersTest, TimePassesOverTokens) {
  accept({with_keys({kHs256})});
  const std::string good = token(kHs256);
  clock_.advance(3600s + 59s);
  EXPECT_EQ(refusal(good), "");
  clock_.advance(1s);
  EXPECT_EQ(refusal(good), "the token has expired");
}

// Of another issuer's key nobody believes our issuer's claims, whatever key id it has.
TEST_F(JwtIssuersTest, AKeySpeaksForItsOwnIssuerOnly) {
  const JwtKey one{JwtAlgorithm::HS256, Secret(std::string(32, '1')), "same"};
  const JwtKey two{JwtAlgorithm::HS256, Secret(std::string(32, '2')), "same"};
  accept({with_keys({one}, "one"), with_keys({two}, "two")});
  EXPECT_EQ(refusal(token(one, {{"iss", "one"}})), "");
  EXPECT_EQ(refusal(token(two, {{"iss", "two"}})), "");
  EXPECT_EQ(refusal(token(one, {{"iss", "two"}})), "the token's signature is wrong");
  EXPECT_EQ(refusal(token(two, {{"iss", "one"}})), "the token's signature is wrong");
  EXPECT_EQ(refusal(token(one)), "the token is of another issuer");
}

TEST_F(JwtIssuersTest, IssuersMayOverlap) {
  const JwtKey key = kHs256;
  accept({with_keys({key}, "me", "a"), with_keys({key}, "me", "b"), with_keys({key}, "", "c")});
  EXPECT_EQ(refusal(token(key, {{"iss", "me"}, {"aud", "a"}})), "");
  EXPECT_EQ(refusal(token(key, {{"iss", "me"}, {"aud", "b"}})), "");
  EXPECT_EQ(refusal(token(key, {{"iss", "any"}, {"aud", "c"}})), "");
  EXPECT_EQ(refusal(token(key, {{"iss", "any"}, {"aud", "a"}})),
            "the token is for another audience");
  EXPECT_EQ(refusal(token(key, {{"iss", "me"}, {"aud", "d"}})),
            "the token is for another audience");
}

TEST_F(JwtIssuersTest, PublishedKeysAreFetchedWhenATokenNeedsThem) {
  accept({with_url(kUrl, "idp"), with_keys({kHs256}, "me")});
  fetcher_.documents[kUrl] = R"({"keys":[)" + p256_pair().jwk(R"(,"kid":"a")") + "]}";
  EXPECT_EQ(refusal(token(kHs256, {{"iss", "me"}})), "");
  // None of these can be good, whatever is published.
  EXPECT_NE(refusal(token(kHs256, {{"iss", "idp"}})), "");
  EXPECT_NE(refusal(token(signing_key(JwtAlgorithm::ES256, "a"), {{"iss", "other"}})), "");
  EXPECT_TRUE(fetcher_.fetched.empty());

  EXPECT_EQ(refusal(token(signing_key(JwtAlgorithm::ES256, "a"), {{"iss", "idp"}})), "");
  EXPECT_EQ(refusal(token(signing_key(JwtAlgorithm::ES256), {{"iss", "idp"}})), "");
  EXPECT_EQ(fetcher_.fetched.size(), 1u);
  const std::string next = token(signing_key(JwtAlgorithm::ES256, "b"), {{"iss", "idp"}});
  EXPECT_EQ(refusal(next), "no key is known that may have signed the token");
  fetcher_.documents[kUrl] = R"({"keys":[)" + p256_pair().jwk(R"(,"kid":"b")") + "]}";
  clock_.advance(30s);
  EXPECT_EQ(refusal(next), "");
}

TEST_F(JwtIssuersTest, APublishedRsaKeyHasTheAlgorithmOfTheConfiguration) {
  JwtIssuerOptions options = with_url(kUrl);
  options.algorithm = JwtAlgorithm::RS512;
  accept({options});
  fetcher_.documents[kUrl] = R"({"keys":[)" + rsa_pair().jwk() + "]}";
  EXPECT_EQ(refusal(token(signing_key(JwtAlgorithm::RS512))), "");
  EXPECT_NE(refusal(token(signing_key(JwtAlgorithm::RS256))), "");
}

TEST_F(JwtIssuersTest, WithoutTheKeysNobodyCanTell) {
  accept({with_url(kUrl, "idp"), with_keys({kHs256})});
  const auto unknown = verify(token(signing_key(JwtAlgorithm::ES256), {{"iss", "idp"}}));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::Unavailable);
  EXPECT_EQ(unknown.error().origin, Origin::Upstream);
  EXPECT_EQ(refusal(token(kHs256)), "") << "others go on";
}

TEST_F(JwtIssuersTest, WhatOneTokenCostsIsBounded) {
  std::vector<JwtKey> keys;
  for (char c = 'a'; c <= 'z'; ++c) {
    keys.push_back({JwtAlgorithm::HS256, Secret(std::string(32, c)), std::string(1, c)});
  }
  accept({with_keys(keys)});
  EXPECT_EQ(refusal(token(keys.back())), "") << "its key id tells which one it is";
  const JwtKey last{JwtAlgorithm::HS256, keys.back().material};
  EXPECT_EQ(refusal(token(last)), "too many keys may have signed the token");
  const JwtKey early{JwtAlgorithm::HS256, keys[JwtIssuers::kMaxTries - 1].material};
  EXPECT_EQ(refusal(token(early)), "");
}

TEST_F(JwtIssuersTest, WeakKeysAreRefusedAtOnce) {
  const auto made =
      JwtIssuers::make({with_keys({{JwtAlgorithm::HS256, Secret("weak")}})}, clock_, log_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::InvalidArgument);
}

TEST_F(JwtIssuersTest, WithoutIssuersNothingIsAccepted) {
  accept({});
  EXPECT_EQ(refusal(token(kHs256)), "the token is of another issuer");
}

}  // namespace
}  // namespace fairlead::auth
