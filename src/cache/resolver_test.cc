// SPDX-License-Identifier: Apache-2.0
// What a tag means: whom that is asked, when, and what is served when there is no answer.
#include "cache/resolver.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"
#include "cache/cooldown.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

class ResolverTest : public CacheFixture {
 protected:
  Source tags(const std::string& repository = kTeam) {
    Source source = manifests(repository);
    source.accept = oci::kManifestAccept;
    return source;
  }
  Result<Resolved> resolve(const std::string& tag = "1") {
    return run(resolver_.resolve(tags(), tag, policy_));
  }
  oci::Digest put(const std::string& tag, const std::string& text) {
    return upstream_.put_manifest(kTeam, tag, text, kManifestType);
  }
  void fail(Code code) {
    upstream_.fail_heads(Error{code, Origin::Upstream, Retry::Yes, "told to fail"});
  }
  [[nodiscard]] std::size_t heads() const { return upstream_.count("HEAD manifest"); }

  FreshnessPolicy policy_{.fresh_for = 60s, .stale_if_error = 1h};
  Resolver resolver_{services_};
  const std::string old_ = R"({"schemaVersion":2,"layers":[]})";
  const std::string new_ = R"({"schemaVersion":2, "layers":[]})";
};

// The attack: a caller who has used up what the upstream gives them, that others are served what is
// stale.
TEST_F(ResolverTest, OneCallerWhoAsksTooOftenIsNoReasonToLeaveTheRegistryAlone) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  clock_.advance(61s);
  fail(Code::TooManyRequests);
  Source limited = tags();
  limited.caller = "mallory";
  EXPECT_EQ(run(resolver_.resolve(limited, "1", policy_))->freshness, Freshness::Stale);
  upstream_.mend_heads();
  const auto moved = put("1", new_);
  Source other = tags();
  other.caller = "alice";
  const auto seen = run(resolver_.resolve(other, "1", policy_));
  EXPECT_EQ(seen->freshness, Freshness::Checked);
  EXPECT_EQ(seen->digest, moved);
}

TEST_F(ResolverTest, AsksOnceAndThenNotBeforeItIsDue) {
  const auto digest = put("1", old_);
  const auto first = resolve();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->digest, digest);
  EXPECT_EQ(first->media_type, kManifestType);
  EXPECT_EQ(first->size, old_.size());
  EXPECT_EQ(first->freshness, Freshness::Checked);
  clock_.advance(59s);
  EXPECT_EQ(resolve()->freshness, Freshness::Fresh);
  EXPECT_EQ(heads(), 1u);

  const auto moved = put("1", new_);
  EXPECT_EQ(resolve()->digest, digest);
  clock_.advance(2s);
  EXPECT_EQ(resolve()->digest, moved);
  EXPECT_EQ(heads(), 2u);
  EXPECT_EQ(upstream_.count("GET manifest"), 0u);
}

TEST_F(ResolverTest, WhatTheUpstreamSaidOfATagIsInTheIndex) {
  const auto digest = put("1", old_);
  upstream_.put(
      "manifest", kTeam, "1",
      {.bytes = old_, .media_type = kManifestType, .claimed_digest = digest, .etag = "\"e\""});
  ASSERT_TRUE(resolve());
  const auto known = index_.tag({"reg.test", kTeam, "1", ""});
  ASSERT_TRUE(known);
  EXPECT_EQ(known->digest, digest);
  EXPECT_EQ(known->media_type, kManifestType);
  EXPECT_EQ(known->size, old_.size());
  EXPECT_EQ(known->etag, "\"e\"");
  EXPECT_EQ(known->checked, clock_.wall());
}

TEST_F(ResolverTest, ManyAtOnceAskOnce) {
  put("1", old_);
  std::array<std::optional<Result<Resolved>>, 20> answers;
  for (auto& answer : answers) begin(resolver_.resolve(tags(), "1", policy_), answer);
  for (auto& answer : answers) {
    run_until([&] { return answer.has_value(); });
    EXPECT_TRUE(*answer);
  }
  EXPECT_EQ(heads(), 1u);
}

TEST_F(ResolverTest, AHeadCountsForTheGetByDigestThatFollows) {
  const auto digest = put("1", old_);
  upstream_.put_manifest(kOther, "1", old_, kManifestType);
  ASSERT_FALSE(pull(manifests(kOther), digest).error);
  wait_for_fills();
  ASSERT_TRUE(resolve());
  const auto before = upstream_.calls().size();
  auto content = fetch(tags(), digest);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->outcome(), Outcome::Hit);
  EXPECT_EQ(upstream_.calls().size(), before);
}

TEST_F(ResolverTest, WhenThereIsNoAnswerWhatIsKnownIsServedAndNobodyAsksForAWhile) {
  const auto digest = put("1", old_);
  for (const Code code : {Code::Unavailable, Code::Timeout, Code::TooManyRequests, Code::Corrupt}) {
    upstream_.mend_heads();
    clock_.advance(2min);
    ASSERT_EQ(resolve()->freshness, Freshness::Checked);
    clock_.advance(2min);
    fail(code);
    const auto before = heads();
    const auto stale = resolve();
    ASSERT_TRUE(stale) << to_string(code);
    EXPECT_EQ(stale->freshness, Freshness::Stale);
    EXPECT_EQ(stale->digest, digest);
    EXPECT_EQ(heads(), before + 1);
    EXPECT_EQ(resolve()->freshness, Freshness::Stale);
    EXPECT_EQ(heads(), before + 1) << "asked again at once";
    clock_.advance(6s);
    EXPECT_EQ(resolve()->freshness, Freshness::Stale);
    EXPECT_EQ(heads(), before + 2);
  }
}

TEST_F(ResolverTest, StaleHasItsEnd) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  fail(Code::Unavailable);
  clock_.advance(61min);
  const auto answer = resolve();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unavailable);
}

TEST_F(ResolverTest, ARefusalIsNeitherCoveredNorRemembered) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  clock_.advance(2min);
  for (const Code code : {Code::Unauthorized, Code::Denied}) {
    fail(code);
    const auto before = heads();
    for (int i = 0; i < 2; ++i) {
      const auto answer = resolve();
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error().code, code);
    }
    EXPECT_EQ(heads(), before + 2);
  }
}

TEST_F(ResolverTest, ThatThereIsNoSuchTagIsRememberedForSeconds) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(resolve().error().code, Code::NotFound);
  EXPECT_EQ(heads(), 1u);
  put("1", old_);
  clock_.advance(11s);
  EXPECT_TRUE(resolve());
}

TEST_F(ResolverTest, ATagThatWasDeletedIsNotServedStale) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  clock_.advance(2min);
  upstream_.remove("manifest", kTeam, "1");
  EXPECT_EQ(resolve().error().code, Code::NotFound);
  clock_.advance(1min);
  fail(Code::Unavailable);
  EXPECT_EQ(resolve().error().code, Code::Unavailable);
}

TEST_F(ResolverTest, ClientsThatAcceptLessAreAskedForApart) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  Source narrow = manifests(kTeam);
  narrow.accept = kManifestType;
  ASSERT_TRUE(run(resolver_.resolve(narrow, "1", policy_)));
  EXPECT_EQ(heads(), 2u);
}

TEST_F(ResolverTest, AWallClockThatJumpsBackMakesItAsk) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  clock_.jump(-24h);
  EXPECT_EQ(resolve()->freshness, Freshness::Checked);
  EXPECT_EQ(heads(), 2u);
}

TEST_F(ResolverTest, ATagIsNotFollowedToWhatCannotBeHad) {
  const auto before = put("1", old_);
  ASSERT_TRUE(resolve());
  ASSERT_FALSE(pull(tags(), before).error);
  wait_for_fills();
  const auto after = put("1", new_);
  for (int i = 0; i < 2; ++i) {
    clock_.advance(2min);
    upstream_.script({.error = Error{Code::TooManyRequests, Origin::Upstream, Retry::Yes, "429"}});
    const auto stale = resolve();
    ASSERT_TRUE(stale);
    EXPECT_EQ(stale->digest, before);
    EXPECT_EQ(stale->freshness, Freshness::Stale);
    EXPECT_EQ(stale->notice, "429");
  }
  clock_.advance(2min);
  EXPECT_EQ(resolve()->digest, after);
  wait_for_fills();
  EXPECT_EQ(fetch(tags(), after)->outcome(), Outcome::Hit);
}

TEST_F(ResolverTest, WhatWasRefusedDoesNotComeBackWithAnOutage) {
  put("1", old_);
  ASSERT_TRUE(resolve());
  clock_.advance(2min);
  fail(Code::Denied);
  EXPECT_EQ(resolve().error().code, Code::Denied);
  fail(Code::Unavailable);
  EXPECT_EQ(resolve().error().code, Code::Unavailable);
}

TEST_F(ResolverTest, OneRepositoryThatFailsSaysNothingOfTheOthers) {
  put("1", old_);
  upstream_.put_manifest(kOther, "1", old_, kManifestType);
  ASSERT_TRUE(resolve());
  ASSERT_TRUE(run(resolver_.resolve(tags(kOther), "1", policy_)));
  clock_.advance(2min);
  fail(Code::Corrupt);
  EXPECT_EQ(resolve()->freshness, Freshness::Stale);
  upstream_.mend_heads();
  EXPECT_EQ(run(resolver_.resolve(tags(kOther), "1", policy_))->freshness, Freshness::Checked);
}

// --- upstreams that tell nothing by HEAD ---

TEST_F(ResolverTest, WithoutHeadTheManifestIsFetchedWholeAndKept) {
  fail(Code::Unsupported);
  const auto digest = put("1", old_);
  const auto resolved = resolve();
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->digest, digest);
  ASSERT_TRUE(resolved->text);
  EXPECT_EQ(*resolved->text, old_);
  auto again = fetch(tags(), digest);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome(), Outcome::Hit);
  EXPECT_EQ(resolve()->freshness, Freshness::Fresh);
}

TEST_F(ResolverTest, AnUpstreamThatClaimsAnotherDigestIsRefused) {
  fail(Code::Unsupported);
  const auto other = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view("other"));
  upstream_.put("manifest", kTeam, "1",
                {.bytes = old_, .media_type = kManifestType, .claimed_digest = other});
  EXPECT_EQ(resolve().error().code, Code::Corrupt);
  EXPECT_FALSE(store_.holds(other));
}

TEST_F(ResolverTest, ATagIsServedThoughTheDiskIsFull) {
  fail(Code::Unsupported);
  put("1", old_);
  store_.faults.begin_finds_no_space = true;
  const auto resolved = resolve();
  ASSERT_TRUE(resolved && resolved->text);
  EXPECT_EQ(*resolved->text, old_);
  EXPECT_EQ(space_.take_wanted(), old_.size());
}

TEST_F(ResolverTest, AManifestIsKeptUnderTheTypeThatItTellsItself) {
  fail(Code::Unsupported);
  const std::string text = R"({"schemaVersion":2,"manifests":[]})";
  const auto digest = upstream_.put_manifest(kTeam, "1", text, kManifestType);
  ASSERT_TRUE(resolve());
  EXPECT_EQ(index_.content(digest)->media_type, "application/vnd.oci.image.index.v1+json");
}

TEST_F(ResolverTest, AManifestOverTheLimitIsRefusedWhetherItsSizeIsToldOrNot) {
  fail(Code::Unsupported);
  std::string text = R"({"schemaVersion":2})";
  text.resize(oci::kMaxManifestSize + 1, ' ');
  for (const bool tells_size : {true, false}) {
    upstream_.put("manifest", kTeam, "big",
                  {.bytes = text, .media_type = kManifestType, .tells_size = tells_size});
    EXPECT_EQ(resolve("big").error().code, Code::TooLarge);
  }
}

// --- cooldown ---

class CooldownTest : public ResolverTest {
 protected:
  CooldownTest() {
    policy_.cooldown = 72h;
    policy_.fresh_for = 0s;
  }
};

TEST_F(CooldownTest, ANewTagIsRefusedUntilItIsOldEnough) {
  const auto digest = put("1", old_);
  const auto refused = resolve();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::Denied);
  EXPECT_EQ(refused.error().origin, Origin::Client);
  EXPECT_TRUE(refused.error().context.contains("cooldown")) << refused.error().context;
  EXPECT_TRUE(refused.error().context.contains(utc_text(clock_.wall() + 72h)))
      << refused.error().context;
  clock_.advance(71h);
  EXPECT_FALSE(resolve());
  clock_.advance(1h);
  ASSERT_TRUE(resolve());
  EXPECT_EQ(resolve()->digest, digest);
}

TEST_F(CooldownTest, ATagThatMovedKeepsWhatItMeantUntilTheNewIsOldEnough) {
  const auto before = put("1", old_);
  ASSERT_FALSE(resolve());
  clock_.advance(100h);
  ASSERT_TRUE(resolve());
  const auto after = put("1", new_);
  const auto held = resolve();
  ASSERT_TRUE(held);
  EXPECT_EQ(held->digest, before);
  EXPECT_EQ(held->freshness, Freshness::Held);
  EXPECT_TRUE(held->notice.contains(after.str())) << held->notice;
  clock_.advance(71h);
  EXPECT_EQ(resolve()->digest, before);
  clock_.advance(1h);
  EXPECT_EQ(resolve()->digest, after);
}

TEST_F(CooldownTest, ItIsHeldAlsoWhileItIsFresh) {
  put("1", old_);
  ASSERT_FALSE(resolve());
  clock_.advance(100h);
  ASSERT_TRUE(resolve());
  put("1", new_);
  policy_.fresh_for = 1h;
  clock_.advance(2h);
  ASSERT_EQ(resolve()->freshness, Freshness::Held);
  const auto asked = heads();
  const auto again = resolve();
  EXPECT_EQ(again->freshness, Freshness::Held);
  EXPECT_FALSE(again->notice.empty());
  EXPECT_EQ(heads(), asked);
}

TEST_F(CooldownTest, AShorterOneDoesNotOpenTheWayForALonger) {
  put("1", old_);
  FreshnessPolicy shorter = policy_;
  shorter.cooldown = 1h;
  ASSERT_FALSE(run(resolver_.resolve(tags(), "1", shorter)));
  clock_.advance(2h);
  ASSERT_TRUE(run(resolver_.resolve(tags(), "1", shorter)));
  EXPECT_FALSE(resolve());
}

TEST_F(CooldownTest, AskingByDigestDoesNotAgeATag) {
  const auto digest = put("1", old_);
  EXPECT_FALSE(is_seen(index_, tags(), digest));
  note_seen(index_, tags(), digest, clock_.wall());
  EXPECT_FALSE(check_cooldown(index_, tags(), digest, 72h, clock_.wall()));
  clock_.advance(73h);
  EXPECT_TRUE(check_cooldown(index_, tags(), digest, 72h, clock_.wall()));
  EXPECT_FALSE(resolve()) << "who can push could have let it grow old unseen";
  clock_.advance(72h);
  EXPECT_TRUE(resolve());
}

TEST_F(CooldownTest, WhatOtherRoutesHaveLongSeenIsOldEnough) {
  const auto before = put("1", old_);
  const FreshnessPolicy other{.fresh_for = 0s};
  ASSERT_TRUE(run(resolver_.resolve(tags(), "1", other)));
  clock_.advance(73h);
  EXPECT_EQ(resolve()->digest, before);
  put("1", new_);
  EXPECT_NE(run(resolver_.resolve(tags(), "1", other))->digest, before);
  EXPECT_EQ(resolve()->digest, before) << "a route without a cooldown went on, this one must not";
}

TEST_F(CooldownTest, WithoutATagOfItsOwnARouteFallsBackToWhatOthersServedLongAgo) {
  const auto before = put("1", old_);
  const FreshnessPolicy other{.fresh_for = 0s};
  ASSERT_TRUE(run(resolver_.resolve(tags(), "1", other)));
  clock_.advance(73h);
  put("1", new_);
  const auto held = resolve();
  ASSERT_TRUE(held);
  EXPECT_EQ(held->digest, before);
}

}  // namespace
}  // namespace fairlead::cache
