// SPDX-License-Identifier: Apache-2.0
// Who is given what is stored or on its way, and what the upstream is asked for it.
#include "cache/fetcher.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cache/cache_fixture.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

using fairlead::testing::FakeContent;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

class FetcherTest : public CacheFixture {
 protected:
  // Of the size that the limit on manifests is about.
  static std::string manifest_of_size(std::size_t size) {
    std::string text = R"({"schemaVersion":2})";
    text.resize(size, ' ');
    return text;
  }

  const std::string bytes_ = bytes_of_size(kSize);
  const std::string manifest_ = R"({"schemaVersion":2,"layers":[]})";
};

TEST_F(FetcherTest, ABlobIsFetchedOnceAndThenServedFromTheStore) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  auto first = fetch(source(kTeam), digest);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->outcome(), Outcome::Fill);
  EXPECT_EQ(first->size(), kSize);
  EXPECT_EQ(run(receive(*first)).bytes, bytes_);
  wait_for_fills();

  auto second = fetch(source(kTeam), digest);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->outcome(), Outcome::Hit);
  EXPECT_EQ(run(receive(*second)).bytes, bytes_);
  EXPECT_EQ(upstream_.calls().size(), 1u);
}

TEST_F(FetcherTest, WhatIsStoredIsServedAgainWhenTheStoreIsBack) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  store_.faults.is_away = true;
  EXPECT_EQ(pull(source(kTeam), digest).bytes, bytes_);
  wait_for_fills();
  store_.faults.is_away = false;
  const auto calls = upstream_.calls().size();
  EXPECT_EQ(fetch(source(kTeam), digest)->outcome(), Outcome::Hit);
  EXPECT_EQ(upstream_.calls().size(), calls) << "the link was forgotten";
}

TEST_F(FetcherTest, WhatTheUpstreamDoesNotHaveIsNotFoundAndMayAppearLater) {
  const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes_));
  EXPECT_EQ(pull(source(kTeam), digest).error->code, Code::NotFound);
  upstream_.put_blob(kTeam, bytes_);
  EXPECT_EQ(pull(source(kTeam), digest).bytes, bytes_);
}

TEST_F(FetcherTest, StoredContentIsNotGivenToARepositoryThatDoesNotHoldIt) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  ASSERT_TRUE(store_.holds(digest));

  const auto refused = fetch(source(kOther), digest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::NotFound);
  const auto described = run(fetcher_.describe(source(kOther), digest));
  ASSERT_FALSE(described);
  EXPECT_EQ(described.error().code, Code::NotFound);
}

TEST_F(FetcherTest, TheSameRepositoryNameAtAnotherRegistryIsAnotherRepository) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  upstream_.remove("blob", kTeam, digest.str());
  Source elsewhere = source(kTeam);
  elsewhere.registry_name = "elsewhere.test";
  EXPECT_FALSE(fetch(elsewhere, digest));
}

TEST_F(FetcherTest, StoredContentThatTheUpstreamConfirmsIsAHitWithoutATransfer) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  upstream_.put_blob(kOther, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  for (int i = 0; i < 2; ++i) {
    auto content = fetch(source(kOther), digest);
    ASSERT_TRUE(content);
    EXPECT_EQ(content->outcome(), Outcome::Hit);
  }
  EXPECT_EQ(upstream_.count("GET blob"), 1u);
  EXPECT_EQ(upstream_.count("HEAD blob"), 1u) << "a confirmed link is remembered";
}

TEST_F(FetcherTest, AFillIsNotSharedWithARepositoryThatDoesNotHoldTheContent) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  upstream_.script({.hold_after = 100'000});
  auto filling = fetch(source(kTeam), digest);
  ASSERT_TRUE(filling);
  wait_until_held();

  const auto refused = fetch(source(kOther), digest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::NotFound);

  upstream_.release();
  EXPECT_EQ(run(receive(*filling)).bytes, bytes_);
}

TEST_F(FetcherTest, AFillIsJoinedFromARepositoryThatTheUpstreamConfirms) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  upstream_.put_blob(kOther, bytes_);
  upstream_.script({.hold_after = 100'000});
  auto filling = fetch(source(kTeam), digest);
  ASSERT_TRUE(filling);
  wait_until_held();
  auto joined = fetch(source(kOther), digest);
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->outcome(), Outcome::Join);
  upstream_.release();
  EXPECT_EQ(run(receive(*joined)).bytes, bytes_);
  EXPECT_EQ(upstream_.count("GET blob"), 1u);
}

TEST_F(FetcherTest, TheFailureOfAnothersFillIsNotOurs) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  upstream_.put_blob(kOther, bytes_);
  const Error denied{Code::Denied, Origin::Upstream, Retry::No, "denied"};
  upstream_.script({.holds_answer = true, .error = denied});
  std::optional<Result<Content>> theirs;
  begin(fetcher_.fetch(source(kTeam), digest), theirs);
  wait_until_held();
  std::optional<Result<Content>> ours;
  begin(fetcher_.fetch(source(kOther), digest), ours);
  run_until([&] { return upstream_.count("HEAD blob") == 1; });
  upstream_.release();
  run_until([&] { return theirs.has_value() && ours.has_value(); });
  ASSERT_FALSE(*theirs);
  EXPECT_EQ(theirs->error().code, Code::Denied);
  ASSERT_TRUE(*ours) << ours->error().context;
  EXPECT_EQ(run(receive(**ours)).bytes, bytes_);
}

TEST_F(FetcherTest, ACallerThatJoinsAFillFoundSupersededIsServedAllTheSame) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();

  // A first looks into the store just before the content is published, so begins a fill; while it
  // looks again, B has seen the same and joined.
  boost::asio::io_context other_worker;
  std::optional<Result<Content>> b;
  int looks = 0;
  store_.faults.on_open = [&]() -> std::optional<Error> {
    ++looks;
    const Error hidden{.code = Code::Io, .context = "not yet"};
    if (looks == 1) return hidden;
    if (looks == 2) {
      boost::asio::co_spawn(other_worker, put_into(b, fetcher_.fetch(source(kTeam), digest)),
                            [](const std::exception_ptr& thrown) { EXPECT_FALSE(thrown); });
      other_worker.poll();
      return std::nullopt;
    }
    if (looks == 3) return hidden;  // B's first look
    return std::nullopt;
  };
  const auto a = fetch(source(kTeam), digest);
  ASSERT_TRUE(a);
  EXPECT_EQ(a->outcome(), Outcome::Hit);
  EXPECT_FALSE(b) << "B did not wait";
  other_worker.restart();
  other_worker.run_for(kPatience);
  ASSERT_TRUE(b);
  ASSERT_TRUE(*b) << b->error().context;
  EXPECT_EQ(run(receive(**b)).bytes, bytes_);
  EXPECT_EQ(upstream_.count("GET blob"), 1u);
  store_.faults.on_open = {};
}

TEST_F(FetcherTest, AStoreThatCannotBeReadCostsATransferAndNoError) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  store_.faults.on_open = [] { return Error{.code = Code::Io, .context = "input/output error"}; };
  EXPECT_EQ(pull(source(kTeam), digest).bytes, bytes_);
}

TEST_F(FetcherTest, AManifestIsCompleteAndTypedWhenItIsGiven) {
  const auto digest = upstream_.put_manifest(kTeam, "1", manifest_, kManifestType);
  upstream_.script({.hold_after = 5});
  std::optional<Result<Content>> content;
  begin(fetcher_.fetch(manifests(kTeam), digest), content);
  wait_until_held();
  EXPECT_FALSE(content) << "half a manifest was given";
  upstream_.release();
  run_until([&] { return content.has_value(); });
  ASSERT_TRUE(*content);
  EXPECT_EQ((*content)->media_type(), kManifestType);
  EXPECT_EQ(run(receive(**content)).bytes, manifest_);
  wait_for_fills();

  auto again = fetch(manifests(kTeam), digest);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome(), Outcome::Hit);
  EXPECT_EQ(again->media_type(), kManifestType);
  EXPECT_EQ(upstream_.calls().size(), 1u);
}

TEST_F(FetcherTest, AWrongManifestIsAnErrorAndNotKept) {
  const auto digest = upstream_.put_manifest(kTeam, "1", manifest_, kManifestType);
  upstream_.script({.sends = std::string(manifest_.size(), 'x')});
  const auto content = fetch(manifests(kTeam), digest);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code, Code::Corrupt);
  EXPECT_FALSE(store_.holds(digest));
}

TEST_F(FetcherTest, AManifestOverTheLimitIsRefusedWhetherItsSizeIsToldOrNot) {
  for (const bool tells_size : {true, false}) {
    const std::string text = manifest_of_size(oci::kMaxManifestSize + 1);
    const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(text));
    upstream_.put("manifest", kTeam, digest.str(),
                  {.bytes = text, .media_type = kManifestType, .tells_size = tells_size});
    const auto content = fetch(manifests(kTeam), digest);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error().code, Code::TooLarge);
    EXPECT_FALSE(store_.holds(digest));
  }
}

TEST_F(FetcherTest, TheLargestManifestIsServed) {
  const std::string text = manifest_of_size(oci::kMaxManifestSize);
  const auto digest = upstream_.put_manifest(kTeam, "big", text, kManifestType);
  EXPECT_EQ(pull(manifests(kTeam), digest).bytes, text);
}

TEST_F(FetcherTest, AStoredLayerIsNoManifest) {
  const auto digest = upstream_.put_blob(kTeam, manifest_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  const auto content = fetch(manifests(kTeam), digest);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().code, Code::NotFound);
}

TEST_F(FetcherTest, ALayerOnItsWayIsNoManifest) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  upstream_.script({.hold_after = 100'000});
  auto filling = fetch(source(kTeam), digest);
  ASSERT_TRUE(filling);
  wait_until_held();
  std::optional<Result<Content>> as_manifest;
  begin(fetcher_.fetch(manifests(kTeam), digest), as_manifest);
  run_for(std::chrono::milliseconds(1));
  upstream_.release();
  EXPECT_EQ(run(receive(*filling)).bytes, bytes_);
  run_until([&] { return as_manifest.has_value(); });
  ASSERT_FALSE(*as_manifest) << "a layer was served as " << (*as_manifest)->media_type();
  EXPECT_EQ(as_manifest->error().code, Code::NotFound);
}

// The attack: asking for a layer's digest as a manifest all the time, so that those who pull the
// layer are told that there is none.
TEST_F(FetcherTest, AskingForALayerAsAManifestDoesNotDisturbItsPull) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  upstream_.script({.holds_answer = true});
  std::optional<Result<Content>> as_manifest;
  begin(fetcher_.fetch(manifests(kTeam), digest), as_manifest);
  wait_until_held();
  std::optional<Result<Content>> layer;
  begin(fetcher_.fetch(source(kTeam), digest), layer);
  run_for(std::chrono::milliseconds(1));
  upstream_.release();
  run_until([&] { return layer.has_value() && as_manifest.has_value(); });
  ASSERT_FALSE(*as_manifest);
  EXPECT_EQ(as_manifest->error().code, Code::NotFound);
  ASSERT_TRUE(*layer) << layer->error().context;
  EXPECT_EQ(run(receive(**layer)).bytes, bytes_);
}

TEST_F(FetcherTest, DescribesWhatIsStoredWithoutTheUpstream) {
  const auto blob = upstream_.put_blob(kTeam, bytes_);
  const auto manifest = upstream_.put_manifest(kTeam, "1", manifest_, kManifestType);
  ASSERT_FALSE(pull(source(kTeam), blob).error);
  ASSERT_FALSE(pull(manifests(kTeam), manifest).error);
  wait_for_fills();
  const auto before = upstream_.calls().size();

  const auto of_blob = run(fetcher_.describe(source(kTeam), blob));
  ASSERT_TRUE(of_blob);
  EXPECT_EQ(of_blob->size, kSize);
  EXPECT_EQ(of_blob->digest, blob);
  const auto of_manifest = run(fetcher_.describe(manifests(kTeam), manifest));
  ASSERT_TRUE(of_manifest);
  EXPECT_EQ(of_manifest->media_type, kManifestType);
  EXPECT_EQ(of_manifest->size, manifest_.size());
  EXPECT_EQ(upstream_.calls().size(), before);
}

TEST_F(FetcherTest, DescribesWhatIsNotStoredByHead) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  const auto head = run(fetcher_.describe(source(kTeam), digest));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->size, kSize);
  EXPECT_EQ(upstream_.count("HEAD blob"), 1u);
  EXPECT_EQ(store_.begun(), 0u) << "a HEAD began a transfer";
}

TEST_F(FetcherTest, AnUpstreamWithoutHeadConfirmsByGet) {
  upstream_.fail_heads(Error{Code::Unsupported, Origin::Upstream, Retry::No, "no HEAD"});
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  EXPECT_EQ(pull(source(kOther), digest).error->code, Code::NotFound);
  upstream_.put_blob(kOther, bytes_);
  auto content = fetch(source(kOther), digest);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->outcome(), Outcome::Hit);
  EXPECT_EQ(upstream_.calls().back().length, 1u) << "to confirm it, one byte is enough";
}

TEST_F(FetcherTest, WhatWasRemovedBehindOurBackIsFetchedAgain) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  ASSERT_TRUE(store_.remove(digest));
  EXPECT_EQ(pull(source(kTeam), digest).bytes, bytes_);
  wait_for_fills();
  EXPECT_TRUE(store_.holds(digest));
  EXPECT_EQ(fetch(source(kTeam), digest)->outcome(), Outcome::Hit);
}

TEST_F(FetcherTest, WhatChangedItsSizeIsFetchedAgain) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  index_.add_stored(digest, "", kSize + 1, {}, clock_.wall());
  EXPECT_EQ(pull(source(kTeam), digest).bytes, bytes_);
  wait_for_fills();
  EXPECT_EQ(fetch(source(kTeam), digest)->outcome(), Outcome::Hit);
  EXPECT_EQ(index_.content(digest)->size, kSize);
}

TEST_F(FetcherTest, AHitIsAUse) {
  const auto digest = upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  wait_for_fills();
  clock_.advance(std::chrono::hours(1));
  ASSERT_FALSE(pull(source(kTeam), digest).error);
  EXPECT_EQ(index_.content(digest)->last_use, clock_.wall());
}

TEST_F(FetcherTest, AManifestIsStoredWithWhatItNames) {
  const auto layer = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view("layer"));
  const std::string text =
      R"({"schemaVersion":2,"layers":[{"mediaType":"x/y","size":5,"digest":")" + layer.str() +
      R"("}],"config":{"mediaType":"x/y","size":5,"digest":")" + layer.str() + R"("}})";
  const auto digest = upstream_.put_manifest(kTeam, "1", text, kManifestType);
  ASSERT_FALSE(pull(manifests(kTeam), digest).error);
  wait_for_fills();
  const auto info = index_.content(digest);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->is_stored);
  EXPECT_EQ(info->media_type, kManifestType);
  EXPECT_NE(std::ranges::find(info->names, layer), info->names.end());
}

}  // namespace
}  // namespace fairlead::cache
