// SPDX-License-Identifier: Apache-2.0
// What the cache knows after a push or a deletion that went through us.
#include "cache/changes.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"
#include "cache/cooldown.h"
#include "cache/kept_uploads.h"
#include "cache/resolver.h"
#include "cache/stored_fixture.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

class ChangesTest : public CacheFixture {
 protected:
  ChangesTest() { services_.uploads = &uploads_; }

  Source team(const std::string& accept = std::string(oci::kManifestAccept)) {
    Source source = manifests(kTeam);
    source.accept = accept;
    return source;
  }
  void run_to_end(async::Task<> task) {
    const auto as_value = [](async::Task<> work) -> async::Task<bool> {
      co_await std::move(work);
      co_return true;
    };
    run(as_value(std::move(task)));
  }
  // Through us: the registry has it, then we are told.
  oci::Digest push(const std::string& text, const std::vector<std::string>& tags = {"1"},
                   const std::string& media_type = kImageType) {
    const auto digest = sha256_of(text);
    for (const auto& tag : tags) upstream_.put_manifest(kTeam, tag, text, media_type);
    tell(digest, text, tags, media_type);
    return digest;
  }
  void tell(const oci::Digest& digest, const std::string& text,
            const std::vector<std::string>& tags, const std::string& media_type = kImageType,
            std::optional<std::uint64_t> asked = {}) {
    Source source = manifests(kTeam);
    source.asked = asked;
    run_to_end(changes_.manifest_pushed(source, {.digest = digest,
                                                 .media_type = media_type,
                                                 .text = std::make_shared<const std::string>(text),
                                                 .tags = tags}));
  }
  Result<Resolved> resolve(const std::string& tag = "1") {
    return run(resolver_.resolve(team(), tag, policy_));
  }
  // The registry has answered late to what it was asked when the count was `asked`.
  oci::Digest tell_late(std::uint64_t asked, const std::string& text,
                        const std::vector<std::string>& tags = {"1"}) {
    const auto digest = sha256_of(text);
    tell(digest, text, tags, kImageType, asked);
    return digest;
  }
  void delete_manifest(const oci::Digest& digest) {
    run_to_end(changes_.manifest_deleted(manifests(kTeam), digest));
  }
  [[nodiscard]] std::uint64_t count() { return checks_.recent().count(); }
  void take_upstream_away() {
    upstream_.fail_heads(Error{Code::Unavailable, Origin::Upstream, Retry::Yes, "away"});
  }
  [[nodiscard]] std::size_t asked() const { return upstream_.calls().size(); }

  FreshnessPolicy policy_{.fresh_for = 60s, .stale_if_error = 1h};
  KeptUploads uploads_{services_};
  Changes changes_{services_};
  Resolver resolver_{services_};
  const std::string old_ = image_of({sha256_of("old layer")});
  const std::string new_ = image_of({sha256_of("new layer")});
};

TEST_F(ChangesTest, WhatWasPushedIsWhatTheTagMeansAndAHitWithoutAnybodyBeingAsked) {
  const auto digest = push(new_, {"1", "latest"});
  take_upstream_away();
  for (const char* tag : {"1", "latest"}) {
    const auto resolved = resolve(tag);
    ASSERT_TRUE(resolved);
    EXPECT_EQ(resolved->digest, digest);
    EXPECT_EQ(resolved->freshness, Freshness::Fresh);
    EXPECT_EQ(resolved->media_type, kImageType);
    EXPECT_EQ(resolved->size, new_.size());
  }
  auto content = fetch(team(), digest);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->outcome(), Outcome::Hit);
  EXPECT_EQ(content->media_type(), kImageType);
  EXPECT_EQ(index_.content(digest)->names.size(), 2u) << "config and layer";
  EXPECT_EQ(run(receive(*content)).bytes, new_);
  EXPECT_EQ(asked(), 0u);
}

TEST_F(ChangesTest, AnotherRepositoryHasNothingOfAPush) {
  const auto digest = push(new_);
  EXPECT_EQ(fetch(manifests(kOther), digest).error().code, Code::NotFound);
}

TEST_F(ChangesTest, APushReplacesAFreshTag) {
  push(old_);
  const auto digest = push(new_);
  EXPECT_EQ(resolve()->digest, digest);
}

TEST_F(ChangesTest, WithoutWriteThroughItIsKnownAndNotKept) {
  services_.uploads = nullptr;
  const auto digest = push(new_);
  EXPECT_EQ(resolve()->freshness, Freshness::Fresh);
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, digest));
  EXPECT_FALSE(store_.holds(digest));
}

TEST_F(ChangesTest, WhatOthersAcceptIsAskedAnew) {
  index_.put_tag({"reg.test", kTeam, "1", kImageType}, {.digest = sha256_of(old_)});
  push(new_);
  EXPECT_EQ(index_.variants("reg.test", kTeam, "1"), std::vector<std::string>{""});
}

TEST_F(ChangesTest, ATypeThatNobodyAcceptsIsLeftToTheRegistry) {
  push(old_);
  push(new_, {"1"}, "application/x");
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty());
}

TEST_F(ChangesTest, ATagThatWasNotFoundIsThereOnceItIsPushed) {
  EXPECT_EQ(resolve().error().code, Code::NotFound);
  const auto digest = push(new_);
  EXPECT_EQ(resolve()->digest, digest);
}

// Else whoever may push could bring anything past a cooldown; and what all others have would be
// lost to them by a push.
TEST_F(ChangesTest, ACooldownHoldsAPushBack) {
  policy_.cooldown = 72h;
  const auto before = push(old_);
  EXPECT_EQ(resolve().error().code, Code::Denied);
  clock_.advance(73h);
  EXPECT_EQ(resolve()->digest, before);
  push(new_);
  const auto held = resolve();
  ASSERT_TRUE(held);
  EXPECT_EQ(held->digest, before);
  EXPECT_EQ(held->freshness, Freshness::Held);
  EXPECT_EQ(index_.tag({"reg.test", kTeam, "1", ""})->digest, sha256_of(new_));
  clock_.advance(73h);
  EXPECT_EQ(resolve()->digest, sha256_of(new_));
}

TEST_F(ChangesTest, APushByDigestDoesNotAgeATag) {
  const auto digest = push(new_, {});
  EXPECT_TRUE(is_seen(index_, team(), digest));
  EXPECT_FALSE(index_.seen("reg.test", kTeam, digest));
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty());
  EXPECT_TRUE(store_.holds(digest));
}

TEST_F(ChangesTest, TheChildrenOfAnIndexAreAsOldAsIt) {
  const auto child = sha256_of("child");
  const std::string text = R"({"schemaVersion":2,"mediaType":")" + std::string(kIndexType) +
                           R"(","manifests":[{"mediaType":")" + kImageType +
                           R"(","size":5,"digest":")" + child.str() + R"("}]})";
  const auto digest = push(text, {"1"}, kIndexType);
  EXPECT_TRUE(is_seen(index_, team(), child));
  EXPECT_EQ(index_.content(digest)->names, std::vector{child});
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, child)) << "that it is named proves nothing";
}

TEST_F(ChangesTest, WhatDoesNotParseIsLeftToTheRegistry) {
  const auto digest = push("not json", {"1"});
  EXPECT_FALSE(store_.holds(digest));
  EXPECT_EQ(resolve()->digest, digest);
  EXPECT_GT(asked(), 0u);
}

// The attack: what another repository has under its right type is served under the pusher's.
TEST_F(ChangesTest, ATypeThatIsNotTheContentsOwnIsNotLearned) {
  const auto digest = push(new_, {"1"}, kIndexType);
  EXPECT_FALSE(store_.holds(digest));
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, digest));
  const auto known = index_.content(digest);
  EXPECT_TRUE(!known || known->media_type.empty());
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty()) << "the registry is to say";
}

TEST_F(ChangesTest, ATypeThatTheShapeTellsIsTheOnlyOne) {
  const std::string text = R"({"schemaVersion":2,"manifests":[]})";
  const auto digest =
      push(text, {"1"}, "application/vnd.docker.distribution.manifest.list.v2+json");
  EXPECT_FALSE(store_.holds(digest));
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty());
  push(text, {"1"}, kIndexType);
  EXPECT_TRUE(store_.holds(digest));
  EXPECT_EQ(index_.content(digest)->media_type, kIndexType);
}

TEST_F(ChangesTest, TheTypeOfWhatIsStoredStands) {
  const auto digest = push(new_);
  push(new_, {"1"}, kIndexType);
  EXPECT_EQ(index_.content(digest)->media_type, kImageType);
}

TEST_F(ChangesTest, NothingIsKeptUnderAnotherDigestThanItsOwn) {
  push(old_);
  const auto other = sha256_of("what the registry made of it");
  tell(other, new_, {"1"});
  EXPECT_FALSE(store_.holds(other));
  EXPECT_FALSE(store_.holds(sha256_of(new_)));
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, other));
  EXPECT_FALSE(index_.content(other)) << "its size is not that of what was sent";
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty()) << "the registry is to say";
}

TEST_F(ChangesTest, AManifestMayHaveALongDigest) {
  const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha512, as_byte_view(new_));
  tell(digest, new_, {"1"});
  EXPECT_TRUE(store_.holds(digest));
  EXPECT_EQ(resolve()->digest, digest);
}

TEST_F(ChangesTest, AFullDiskIsNoTroubleForAPush) {
  store_.faults.begin_finds_no_space = true;
  const auto digest = push(new_);
  EXPECT_EQ(resolve()->digest, digest);
  EXPECT_FALSE(store_.holds(digest));
}

// --- deletions ---

TEST_F(ChangesTest, ADeletedTagIsNotServedStaleEither) {
  push(new_, {"1", "2"});
  run_to_end(changes_.tag_deleted(manifests(kTeam), "1"));
  take_upstream_away();
  EXPECT_FALSE(resolve("1"));
  EXPECT_TRUE(resolve("2"));
}

TEST_F(ChangesTest, ADeletedManifestTakesItsTagsAlong) {
  const auto digest = push(new_, {"1", "2"});
  const auto other = push(old_, {"3"});
  index_.put_tag({"reg.test", kTeam, "2", "cooldown=1ms;"}, {.digest = digest});
  for (const auto& gone : {std::string("1"), std::string("2"), digest.str()}) {
    upstream_.remove("manifest", kTeam, gone);
  }
  run_to_end(changes_.manifest_deleted(manifests(kTeam), digest));
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "2").empty());
  EXPECT_EQ(resolve("1").error().code, Code::NotFound);
  EXPECT_EQ(fetch(team(), digest).error().code, Code::NotFound);
  EXPECT_EQ(resolve("3")->digest, other);
  EXPECT_EQ(fetch(team(), other)->outcome(), Outcome::Hit);
}

TEST_F(ChangesTest, APushUnderWayDoesNotLinkWhatIsDeletedMeanwhile) {
  // The file is being written when the deletion comes.
  const auto digest = sha256_of(new_);
  store_.faults.on_commit = [&] { changes_.blob_deleted(manifests(kTeam), digest); };
  push(new_);
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest));
}

TEST_F(ChangesTest, ABlobThatWasPushedOrMountedIsServedFromTheStore) {
  const auto digest = upstream_.put_blob(kTeam, "layer");
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  take_upstream_away();
  EXPECT_FALSE(fetch(source(kOther), digest));
  changes_.blob_pushed(source(kOther), digest);
  EXPECT_EQ(fetch(source(kOther), digest)->outcome(), Outcome::Hit);
  changes_.blob_deleted(source(kOther), digest);
  EXPECT_FALSE(fetch(source(kOther), digest));
  EXPECT_TRUE(fetch(source(kTeam), digest)) << "deleted elsewhere";
}

// --- answers that come late ---

TEST_F(ChangesTest, OfTwoPushesThatOverlapTheRegistrySaysWhichCameLast) {
  const auto before = count();
  const auto digest = push(new_);
  const auto late = tell_late(before, old_);
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty());
  EXPECT_EQ(resolve()->digest, digest);
  EXPECT_GT(asked(), 0u);
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, digest));
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, late));
}

TEST_F(ChangesTest, PushesOfOtherTagsDoNotOverlap) {
  const auto before = count();
  push(old_, {"2"});
  const auto digest = tell_late(before, new_, {"1", "1"});
  take_upstream_away();
  EXPECT_EQ(resolve("1")->digest, digest);
  EXPECT_EQ(resolve("2")->digest, sha256_of(old_));
}

TEST_F(ChangesTest, ALatePushDoesNotBringATagBack) {
  const index::DocumentKey key{"reg.test", kTeam, "tags"};
  index_.put_document(key, {.body = "1\n2\n", .checked = clock_.wall()});
  const auto before = count();
  run_to_end(changes_.tag_deleted(manifests(kTeam), "1"));
  const auto digest = tell_late(before, new_);
  EXPECT_EQ(resolve().error().code, Code::NotFound);
  EXPECT_EQ(index_.document(key)->body, "2\n");
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, digest)) << "only the tag was deleted";
}

TEST_F(ChangesTest, ALatePushDoesNotBringAManifestBack) {
  const auto before = count();
  delete_manifest(sha256_of(new_));
  const auto digest = tell_late(before, new_);
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest));
  EXPECT_TRUE(index_.variants("reg.test", kTeam, "1").empty());
  EXPECT_EQ(fetch(team(), digest).error().code, Code::NotFound);
  EXPECT_EQ(push(new_), digest);
  EXPECT_EQ(fetch(team(), digest)->outcome(), Outcome::Hit) << "pushed again";
}

TEST_F(ChangesTest, ALatePushDoesNotBringABlobBack) {
  const auto digest = sha256_of("layer");
  Source late = source(kTeam);
  late.asked = count();
  changes_.blob_deleted(source(kTeam), digest);
  changes_.blob_pushed(late, digest);
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest));
}

TEST_F(ChangesTest, ABlobThatIsPushedTwiceAtOnceIsThere) {
  const auto digest = sha256_of("layer");
  Source both = source(kTeam);
  both.asked = count();
  changes_.blob_pushed(both, digest);
  changes_.blob_pushed(both, digest);
  EXPECT_TRUE(index_.has_link("reg.test", kTeam, digest));
}

// --- lists ---

TEST_F(ChangesTest, TheListOfTagsFollows) {
  const index::DocumentKey key{"reg.test", kTeam, "tags"};
  push(new_, {"1"});
  EXPECT_FALSE(index_.document(key)) << "a list of one tag would be a wrong one";
  index_.put_document(key, {.body = "1\n", .checked = clock_.wall()});
  push(new_, {"2", "3"});
  EXPECT_EQ(index_.document(key)->body, "1\n2\n3\n");
  run_to_end(changes_.tag_deleted(manifests(kTeam), "2"));
  EXPECT_EQ(index_.document(key)->body, "1\n3\n");
  run_to_end(changes_.manifest_deleted(manifests(kTeam), sha256_of(new_)));
  EXPECT_EQ(index_.document(key)->body, "");
}

TEST_F(ChangesTest, TheReferrersOfASubjectFollow) {
  const auto subject = push(old_);
  const std::string name = "referrers/" + subject.str();
  const index::DocumentKey key{"reg.test", kTeam, name};
  index_.put_document(key, {.body = R"({"schemaVersion":2,"mediaType":")" +
                                    std::string(kIndexType) + R"(","manifests":[]})",
                            .checked = clock_.wall()});
  std::string text = image_of({});
  text.replace(text.size() - 1, 1,
               R"(,"subject":{"mediaType":")" + std::string(kImageType) + R"(","size":)" +
                   std::to_string(old_.size()) + R"(,"digest":")" + subject.str() + R"("}})");
  const auto digest = push(text, {});
  EXPECT_TRUE(index_.document(key)->body.contains(digest.str()));
  run_to_end(changes_.manifest_deleted(manifests(kTeam), digest));
  EXPECT_FALSE(index_.document(key)->body.contains(digest.str()));
}

}  // namespace
}  // namespace fairlead::cache
