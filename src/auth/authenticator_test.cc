// SPDX-License-Identifier: Apache-2.0
#include "auth/authenticator.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "auth/fake_key_fetcher.h"
#include "telemetry/log.h"
#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;

TEST(IsToken, ByItsFormAlone) {
  EXPECT_TRUE(is_token("v4.local.AAAA"));
  EXPECT_TRUE(is_token("eyJhbGciOiJIUzI1NiJ9.e30.AAAA"));
  EXPECT_TRUE(is_token("eyJhbGciOiJub25lIn0.e30.AAAA"));  // refused as a token, not tried elsewhere
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("a.b.c"));
  EXPECT_FALSE(is_token("eyJ.my.password"));
  EXPECT_FALSE(is_token("e30.e30.AAAA"));  // a header without `alg`
}

class AuthenticatorTest : public fairlead::testing::CoroutineTest {
 protected:
  std::string make_token(WallTime::duration lifetime = 1h) {
    const Caller caller{.kind = Caller::Kind::Issued, .name = "ci"};
    return *sealed_.seal(caller, clock_.wall(), clock_.wall() + lifetime);
  }

  bool is_good(const std::string& token) {
    return run(authenticator_.authenticate("Bearer " + token, "10.0.0.1")).has_value();
  }

  [[nodiscard]] bool is_remembered(const std::string& token) const {
    return authenticator_.find("Bearer " + token) != nullptr;
  }

  static SealedTokens make_sealed() {
    const std::array keys{Secret(std::string(64, 'a'))};
    return SealedTokens(*TokenKeys::parse(keys));
  }

  fairlead::testing::ManualClock clock_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  const SealedTokens sealed_ = make_sealed();
  const std::unique_ptr<JwtIssuers> issuers_ = *JwtIssuers::make({}, clock_, log_);
  LoginThrottle throttle_{clock_};
  FakeKeyFetcher fetcher_;
  Authenticator authenticator_{
      {.sealed = sealed_, .issuers = *issuers_, .throttle = throttle_, .clock = clock_}, fetcher_};
};

TEST_F(AuthenticatorTest, AGoodTokenIsRemembered) {
  const std::string token = make_token();
  EXPECT_FALSE(is_remembered(token));
  EXPECT_TRUE(is_good(token));
  EXPECT_TRUE(is_remembered(token));
  EXPECT_EQ(authenticator_.find("bearer " + token)->name, "ci");
  EXPECT_FALSE(is_remembered(token + "A"));
  EXPECT_EQ(authenticator_.find("Basic " + token), nullptr);
  EXPECT_EQ(authenticator_.find(""), nullptr);
}

TEST_F(AuthenticatorTest, ButNotLongerThanItHolds) {
  const std::string brief = make_token(1min);
  const std::string token = make_token();
  EXPECT_TRUE(is_good(brief));
  EXPECT_TRUE(is_good(token));
  clock_.advance(61s);
  EXPECT_FALSE(is_remembered(brief));
  EXPECT_FALSE(is_good(brief));
  EXPECT_TRUE(is_remembered(token));
  clock_.advance(Authenticator::kRememberedFor);
  EXPECT_FALSE(is_remembered(token));
  EXPECT_TRUE(is_good(token));
}

TEST_F(AuthenticatorTest, WhatIsNotGoodIsNotRemembered) {
  std::string token = make_token();
  token[20] = token[20] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(is_good(token));
  EXPECT_FALSE(is_remembered(token));
}

// A first version forgot what it had learned last, once it knew as much as it may.
TEST_F(AuthenticatorTest, WhatIsForgottenForWantOfRoomIsTheOldest) {
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < 3 * Authenticator::kMaxRemembered; ++i) {
    tokens.push_back(make_token());
    ASSERT_TRUE(is_good(tokens.back()));
  }
  std::size_t remembered = 0;
  for (const std::string& token : tokens) remembered += is_remembered(token) ? 1 : 0;
  EXPECT_LE(remembered, Authenticator::kMaxRemembered);
  for (std::size_t i = tokens.size() - Authenticator::kMaxRemembered / 2; i < tokens.size(); ++i) {
    ASSERT_TRUE(is_remembered(tokens[i])) << i;
  }
  EXPECT_FALSE(is_remembered(tokens.front()));
}

}  // namespace
}  // namespace fairlead::auth
