// SPDX-License-Identifier: Apache-2.0
// Answers to questions that were asked before something was pushed or deleted through us.
#include "cache/recent_changes.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"
#include "cache/knowledge.h"
#include "cache/resolver.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

TEST(RecentChangesTest, OnlyWhatHasChangedSinceIsKeptFromLearning) {
  RecentChanges recent;
  int learnt = 0;
  const auto learn = [&] { ++learnt; };
  const auto asked = recent.count();
  EXPECT_TRUE(recent.unless_changed("a", asked, learn));
  recent.change("a", [] {});
  EXPECT_FALSE(recent.unless_changed("a", asked, learn));
  EXPECT_TRUE(recent.unless_changed("b", asked, learn));
  EXPECT_TRUE(recent.unless_changed("a", recent.count(), learn));
  EXPECT_EQ(learnt, 3);
  EXPECT_LT(recent.last("b"), recent.last("a"));
}

TEST(RecentChangesTest, SeveralThingsChangeAtOnce) {
  RecentChanges recent;
  const auto asked = recent.count();
  const auto number = recent.at_once([&](RecentChanges::Held held) {
    EXPECT_FALSE(held.has_changed("a", asked));
    held.change("a");
    EXPECT_TRUE(held.has_changed("a", asked));
    return held.change("b");
  });
  EXPECT_EQ(recent.last("b"), number);
  EXPECT_EQ(recent.count(), number);
  EXPECT_FALSE(recent.unless_changed("a", asked, [] {}));
}

TEST(RecentChangesTest, WhatIsForgottenCountsAsChanged) {
  RecentChanges recent;
  const auto before = recent.count();
  for (std::size_t i = 0; i < RecentChanges::kCapacity; ++i) {
    recent.change(std::to_string(i), [] {});
  }
  EXPECT_TRUE(recent.unless_changed("other", before, [] {}));
  recent.change("one more", [] {});
  EXPECT_FALSE(recent.unless_changed("other", before, [] {}));
  EXPECT_FALSE(recent.unless_changed("0", before, [] {}));
  EXPECT_TRUE(recent.unless_changed("other", recent.count(), [] {}));
}

class ChangeMeanwhileTest : public CacheFixture {
 protected:
  // By GET, so that a test can hold the answer back.
  ChangeMeanwhileTest() { upstream_.fail_heads(Error{.code = Code::Unsupported}); }

  Source tags(const std::string& caller = {}) {
    Source source = manifests(kTeam);
    source.accept = oci::kManifestAccept;
    source.caller = caller;
    return source;
  }
  oci::Digest put(const std::string& text) {
    return upstream_.put_manifest(kTeam, "1", text, kManifestType);
  }
  void begin_resolve(std::optional<Result<Resolved>>& answer) {
    begin(resolver_.resolve(tags(), "1", policy_), answer);
  }
  void wait_for(const std::optional<Result<Resolved>>& answer) {
    run_until([&] { return answer.has_value(); });
  }
  void change_tags(const std::function<void()>& act) {
    checks_.recent().change(tags_in(tags()), act);
  }

  const index::TagKey key_{"reg.test", kTeam, "1", ""};
  FreshnessPolicy policy_{.fresh_for = 60s, .stale_if_error = 1h, .not_found_for = 10s};
  Resolver resolver_{services_};
  const std::string old_ = R"({"schemaVersion":2,"layers":[]})";
  const std::string new_ = R"({"schemaVersion":2, "layers":[]})";
};

TEST_F(ChangeMeanwhileTest, AnOldAnswerDoesNotReplaceWhatWasPushed) {
  const auto before = put(old_);
  upstream_.script({.holds_answer = true});
  std::optional<Result<Resolved>> answer;
  begin_resolve(answer);
  wait_until_held();
  const auto pushed = put(new_);
  change_tags([&] { index_.put_tag(key_, {.digest = pushed, .checked = clock_.wall()}); });
  upstream_.release();
  wait_for(answer);
  EXPECT_EQ((*answer)->digest, before) << "who asked before the push";
  EXPECT_EQ(index_.tag(key_)->digest, pushed);
  EXPECT_EQ(run(resolver_.resolve(tags(), "1", policy_))->digest, pushed);
}

TEST_F(ChangeMeanwhileTest, WhoAsksAfterADeletionDoesNotJoinWhoAskedBefore) {
  put(old_);
  upstream_.script({.holds_answer = true});
  std::optional<Result<Resolved>> before;
  begin_resolve(before);
  wait_until_held();
  upstream_.remove("manifest", kTeam, "1");
  change_tags([&] { index_.remove_tags("reg.test", kTeam, "1"); });
  std::optional<Result<Resolved>> after;
  begin_resolve(after);
  wait_for(after);
  EXPECT_EQ(after->error().code, Code::NotFound);
  upstream_.release();
  wait_for(before);
  EXPECT_FALSE(index_.tag(key_)) << "it came back";
}

TEST_F(ChangeMeanwhileTest, ThatATagWasNotThereIsNotRememberedOverItsPush) {
  upstream_.script({.holds_answer = true});
  std::optional<Result<Resolved>> before;
  begin_resolve(before);
  wait_until_held();
  const auto pushed = put(new_);
  change_tags([] {});
  upstream_.release();
  wait_for(before);
  EXPECT_EQ(before->error().code, Code::NotFound);
  const auto after = run(resolver_.resolve(tags(), "1", policy_));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->digest, pushed);
}

TEST_F(ChangeMeanwhileTest, WhatIsRememberedOfATagIsForgottenForAllCallers) {
  for (const char* caller : {"", "alice", "bob"}) {
    EXPECT_FALSE(run(resolver_.resolve(tags(caller), "1", policy_)));
    EXPECT_FALSE(run(resolver_.resolve(tags(caller), "10", policy_)));
  }
  put(new_);
  const auto asked = upstream_.calls().size();
  EXPECT_FALSE(run(resolver_.resolve(tags("bob"), "1", policy_)));
  EXPECT_EQ(upstream_.calls().size(), asked) << "not remembered at all";
  checks_.forget(name_of_tag(tags(), "1"));
  EXPECT_TRUE(run(resolver_.resolve(tags("bob"), "1", policy_)));
  const auto before = upstream_.calls().size();
  EXPECT_FALSE(run(resolver_.resolve(tags("alice"), "10", policy_)));
  EXPECT_EQ(upstream_.calls().size(), before) << "that was another tag";
}

TEST_F(ChangeMeanwhileTest, WhatIsHeldBackIsForgotten) {
  const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(old_));
  checks_.note_held(name_of_tag(tags(), "1") + "alice\n", digest, "held");
  checks_.note_held(name_of_tag(tags(), "2") + "alice\n", digest, "held");
  checks_.forget(name_of_tag(tags(), "1"));
  EXPECT_FALSE(checks_.held(name_of_tag(tags(), "1") + "alice\n"));
  EXPECT_TRUE(checks_.held(name_of_tag(tags(), "2") + "alice\n"));
}

TEST_F(ChangeMeanwhileTest, AFillDoesNotLinkWhatWasDeletedMeanwhile) {
  upstream_.mend_heads();
  const auto digest = upstream_.put_blob(kTeam, bytes_of_size(kSize));
  upstream_.script({.hold_after = 100'000});
  auto content = fetch(source(kTeam), digest);
  ASSERT_TRUE(content);
  wait_until_held();
  upstream_.remove("blob", kTeam, digest.str());
  checks_.recent().change(holding_of(source(kTeam), digest),
                          [&] { index_.remove_link("reg.test", kTeam, digest); });
  const auto after = fetch(source(kTeam), digest);
  ASSERT_FALSE(after) << "joined what was asked for before";
  EXPECT_EQ(after.error().code, Code::NotFound);
  upstream_.release();
  EXPECT_EQ(run(receive(*content)).bytes.size(), kSize) << "who asked before has it";
  wait_for_fills();
  EXPECT_TRUE(store_.holds(digest));
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest));
  EXPECT_EQ(fetch(source(kTeam), digest).error().code, Code::NotFound);
}

TEST_F(ChangeMeanwhileTest, ALateHeadDoesNotLinkWhatWasDeletedMeanwhile) {
  const auto digest = upstream_.put_blob(kTeam, "layer");
  upstream_.script({.holds_answer = true});
  std::optional<Result<upstream::ContentHead>> head;
  begin(fetcher_.describe_anew(source(kTeam), digest), head);
  wait_until_held();
  checks_.recent().change(holding_of(source(kTeam), digest), [] {});
  upstream_.release();
  run_until([&] { return head.has_value(); });
  EXPECT_TRUE(*head) << "who asked before";
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest));
}

TEST_F(ChangeMeanwhileTest, ALateNotFoundDoesNotUnlinkWhatWasPushedMeanwhile) {
  const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(old_));
  upstream_.script({.holds_answer = true});
  std::optional<Result<upstream::ContentHead>> head;
  begin(fetcher_.describe_anew(source(kTeam), digest), head);
  wait_until_held();
  ASSERT_TRUE(learn_push(services_, source(kTeam), digest));
  upstream_.release();
  run_until([&] { return head.has_value(); });
  EXPECT_EQ(head->error().code, Code::NotFound);
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, digest));
  EXPECT_FALSE(run(fetcher_.describe_anew(source(kTeam), digest)));
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest)) << "asked after it";
}

}  // namespace
}  // namespace fairlead::cache
