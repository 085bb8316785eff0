// SPDX-License-Identifier: Apache-2.0
#include "auth/sealed_token.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "auth/base64url.h"
#include "auth/paseto.h"
#include "auth/token_payload.h"

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow{1'790'000'000s};
const std::string kKey(64, 'a');

TokenKeys keys_of(const std::string& hex = kKey) {
  const Secret secrets[] = {Secret(hex)};
  return *TokenKeys::parse(secrets);
}

Caller alice() {
  return {.kind = Caller::Kind::User,
          .name = "alice",
          .access = AccessList({{Access::Reach::Exact, "team/app", {oci::Action::Pull}},
                                {Access::Reach::Exact, "team/refused", {}}}),
          .relayed = {{"corp", "team/app", {oci::Action::Pull}, Secret("Bearer hunter2")}}};
}

void expect_refused(const Result<Caller>& opened, const std::string& why) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::Unauthorized);
  EXPECT_EQ(opened.error().origin, Origin::Client);
  EXPECT_TRUE(opened.error().context.contains(why)) << opened.error().context;
}

TEST(SealedTokens, GiveBackTheCaller) {
  const SealedTokens tokens(keys_of());
  const auto token = tokens.seal(alice(), kNow, kNow + 5min);
  ASSERT_TRUE(token) << token.error().context;
  EXPECT_TRUE(is_sealed_token(*token));
  EXPECT_FALSE(token->contains("alice"));

  const auto caller = tokens.open(*token, kNow + 1min);
  ASSERT_TRUE(caller) << caller.error().context;
  EXPECT_EQ(caller->kind, Caller::Kind::User);
  EXPECT_EQ(caller->name, "alice");
  EXPECT_EQ(caller->access, alice().access);
  EXPECT_EQ(caller->relayed, alice().relayed);
  EXPECT_TRUE(caller->is_sealed);
  EXPECT_EQ(caller->expires, kNow + 5min);
}

TEST(SealedTokens, ReadTheSameInAnotherGatewayWithTheKey) {
  const auto token = SealedTokens(keys_of()).seal(alice(), kNow, kNow + 5min);
  EXPECT_TRUE(SealedTokens(keys_of()).open(*token, kNow));
  expect_refused(SealedTokens(keys_of(std::string(64, 'b'))).open(*token, kNow), "no key");
}

TEST(SealedTokens, HoldForTheirTime) {
  const SealedTokens tokens(keys_of());
  const auto token = tokens.seal(alice(), kNow, kNow + 5min);
  EXPECT_TRUE(tokens.open(*token, kNow));
  EXPECT_TRUE(tokens.open(*token, kNow + 5min - 1ns));
  expect_refused(tokens.open(*token, kNow + 5min), "expired");
  expect_refused(tokens.open(*token, kNow + 24h), "expired");
  // From another gateway, whose clock is ahead.
  EXPECT_TRUE(tokens.open(*token, kNow - 60s));
  expect_refused(tokens.open(*token, kNow - 61s), "future");
}

TEST(SealedTokens, DoNotOutliveWhatTheyWereMadeFrom) {
  const SealedTokens tokens(keys_of());
  Caller caller = alice();
  caller.expires = kNow + 30s;
  const auto token = tokens.seal(caller, kNow, kNow + 5min);
  EXPECT_EQ(tokens.open(*token, kNow)->expires, kNow + 30s);
  expect_refused(tokens.open(*token, kNow + 30s), "expired");
}

TEST(SealedTokens, AreForNothingElse) {
  const std::string payload = write_token_payload(alice(), kNow, kNow + 5min);
  const SealedTokens tokens(keys_of());
  EXPECT_TRUE(tokens.open(keys_of().seal(payload, kSealedTokenAssertion), kNow));
  for (const std::string_view purpose : {"", "fairlead token v2", "fairlead upload v1"}) {
    expect_refused(tokens.open(keys_of().seal(payload, purpose), kNow), "changed");
  }
  expect_refused(tokens.open(keys_of().seal("{}", kSealedTokenAssertion), kNow), "kind");
}

TEST(SealedTokens, AreNotMadeWhenTheyCouldNotBeOpened) {
  const SealedTokens tokens(keys_of());
  const auto code_of = [&](const Caller& caller) {
    const auto token = tokens.seal(caller, kNow, kNow + 5min);
    return token ? std::optional<Code>() : token.error().code;
  };
  Caller caller = alice();
  caller.name = std::string(kMaxCallerName, 'a');
  EXPECT_EQ(code_of(caller), std::nullopt);
  caller.name += 'a';
  EXPECT_EQ(code_of(caller), Code::InvalidArgument);
  caller.name = "\xe4";
  EXPECT_EQ(code_of(caller), Code::InvalidArgument);

  caller = alice();
  caller.relayed.front().authorization = Secret("Basic hunter2\n");
  const auto refused = tokens.seal(caller, kNow, kNow + 5min);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().context.contains("hunter2")) << refused.error().context;

  caller = alice();
  caller.access = AccessList(std::vector<Access>(
      AccessList::kMaxEntries, {Access::Reach::Exact, std::string(100, 'r'), Actions::all()}));
  EXPECT_EQ(code_of(caller), Code::TooLarge);
}

TEST(SealedTokens, AreKnownByTheirForm) {
  EXPECT_TRUE(is_sealed_token("v4.local.x"));
  for (const std::string_view text : {"", "v4.local", "v4.public.x", "eyJhbGciOiJub25lIn0.e30."}) {
    EXPECT_FALSE(is_sealed_token(text)) << text;
  }
}

// Random texts, and real tokens that somebody changed; always the same ones.
class Forger {
 public:
  explicit Forger(std::vector<std::string> real) : real_(std::move(real)) {}

  std::string next() {
    switch (below(4)) {
      case 0:
        return bytes(below(300));
      case 1:
        return "v4.local." + base64url_encode(bytes(below(300)));
      case 2: {  // of a known key, as far as it says
        const std::string& token = pick();
        return "v4.local." + base64url_encode(bytes(64 + below(200))) +
               token.substr(token.rfind('.'));
      }
      default:
        return changed();
    }
  }

 private:
  std::size_t below(std::size_t bound) { return engine_() % bound; }
  const std::string& pick() { return real_[below(real_.size())]; }

  std::string bytes(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(below(256));
    return out;
  }

  // Some of a token in the place of some of another.
  std::string changed() {
    std::string token = pick();
    for (std::size_t times = 1 + below(3); times > 0; --times) {
      const std::size_t at = below(token.size() + 1);
      const std::size_t size = below(token.size() - at + 1) % 50;
      const std::string& other = pick();
      const std::size_t from = below(other.size());
      token.replace(at, size, below(2) == 0 ? other.substr(from, below(50)) : bytes(below(3)));
    }
    return token;
  }

  std::mt19937 engine_{20'261'121};  // NOLINT(bugprone-random-generator-seed): the same each time
  std::vector<std::string> real_;
};

TEST(SealedTokens, OpenNothingThatWasForged) {
  const SealedTokens tokens(keys_of());
  Caller other = alice();
  other.name = "bob";
  const std::vector<std::string> real = {*tokens.seal(alice(), kNow, kNow + 5min),
                                         *tokens.seal(alice(), kNow, kNow + 5min),
                                         *tokens.seal(other, kNow, kNow + 5min)};
  Forger forger(real);
  int tried = 0;
  while (tried < 10'000) {
    const std::string token = forger.next();
    if (std::ranges::find(real, token) != real.end()) continue;
    ++tried;
    ASSERT_FALSE(tokens.open(token, kNow)) << token;
  }
}

}  // namespace
}  // namespace fairlead::auth
