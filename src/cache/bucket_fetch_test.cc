// SPDX-License-Identifier: Apache-2.0
// What the cache's bucket holds: who is given it, and what happens when it does not.
#include <gtest/gtest.h>

#include "cache/bucket_keeper.h"
#include "cache/bucket_source.h"
#include "cache/cache_fixture.h"
#include "cache/keep.h"
#include "s3/blocking_objects.h"
#include "testing/fake_objects.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {
namespace {

using fairlead::testing::FakeBucket;
using fairlead::testing::FakeObjects;

constexpr const char* kManifestType = "application/vnd.oci.image.manifest.v1+json";

class BucketFetchTest : public CacheFixture {
 protected:
  BucketFetchTest() { services_.bucket = &keeper_; }

  void TearDown() override {
    keeper_.stop();
    blocking_.close();
    CacheFixture::TearDown();
  }

  // In the bucket, by somebody else; not on this disk.
  void put_in_bucket(const oci::Digest& digest, std::string bytes,
                     const std::string& type = "application/octet-stream") {
    bucket_.put(key_of(digest), {.bytes = std::move(bytes), .media_type = type});
  }
  static std::string key_of(const oci::Digest& digest) { return s3::cache_key("data", digest); }
  Source with_bucket(const std::string& repository, ContentKind kind = ContentKind::Blob) {
    Source from = source(repository, kind);
    from.bucket = &source_;
    return from;
  }
  std::optional<std::string> url_of(const Source& from, const oci::Digest& digest) {
    const auto place = run(fetcher_.locate(from, digest));
    if (!place || !*place) return std::nullopt;
    return (*place)->url;
  }

  fairlead::testing::TemporaryDirectory directory_;
  FakeBucket bucket_{clock_};
  FakeObjects objects_{bucket_};
  s3::BlockingObjects blocking_{
      [this](const async::Executor&) { return std::make_unique<FakeObjects>(bucket_); }};
  s3::BucketBlobStore bucket_store_{blocking_, {.root = "data", .directory = directory_.path()}};
  BucketKeeper keeper_{{}, bucket_store_, store_, index_, bookkeeper_, clock_, log_};
  BucketSource source_{
      {.on_damage = [this](const oci::Digest& digest) { keeper_.suspect(digest); }, .root = "data"},
      objects_,
      keeper_.memory(),
      clock_};

  const std::string bytes_ = bytes_of_size(kSize);
  const oci::Digest digest_ = sha256_of(bytes_);

  static oci::Digest sha256_of(const std::string& bytes) {
    return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
  }
};

TEST_F(BucketFetchTest, WhatTheBucketHasIsNotTransferredFromTheUpstream) {
  upstream_.put_blob(kTeam, bytes_);
  put_in_bucket(digest_, bytes_);
  EXPECT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  wait_for_fills();
  EXPECT_EQ(upstream_.count("GET blob"), 0u);
  EXPECT_EQ(upstream_.count("HEAD blob"), 1u) << "the caller's right was not asked for";
  EXPECT_TRUE(store_.holds(digest_));
  EXPECT_EQ(fetch(with_bucket(kTeam), digest_)->outcome(), Outcome::Hit);
}

TEST_F(BucketFetchTest, WhatTheBucketHasNotComesFromTheUpstream) {
  upstream_.put_blob(kTeam, bytes_);
  EXPECT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  EXPECT_EQ(upstream_.count("GET blob"), 1u);
}

// The attack: to be given, or sent to, what another repository's pull has put there.
TEST_F(BucketFetchTest, ARepositoryIsNotGivenWhatItDoesNotHold) {
  upstream_.put_blob(kTeam, bytes_);
  put_in_bucket(digest_, bytes_);
  EXPECT_TRUE(url_of(with_bucket(kTeam), digest_));
  EXPECT_FALSE(url_of(with_bucket(kOther), digest_));
  const auto refused = fetch(with_bucket(kOther), digest_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::NotFound);
}

TEST_F(BucketFetchTest, WhoIsKnownToHoldItIsServedWithoutTheUpstream) {
  index_.add_link("reg.test", kTeam, digest_);
  put_in_bucket(digest_, bytes_);
  EXPECT_EQ(run(fetcher_.describe(with_bucket(kTeam), digest_))->size, kSize);
  EXPECT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  EXPECT_TRUE(upstream_.calls().empty());
}

TEST_F(BucketFetchTest, ARedirectNamesTheObjectAndCostsNoQuestionTheSecondTime) {
  index_.add_link("reg.test", kTeam, digest_);
  put_in_bucket(digest_, bytes_);
  const auto url = url_of(with_bucket(kTeam), digest_);
  EXPECT_EQ(
      url, "https://bucket.test/" + key_of(digest_) + "?type=application/octet-stream&expiry=1200");
  EXPECT_EQ(url_of(with_bucket(kTeam), digest_), url);
  EXPECT_EQ(bucket_.count("head"), 1u);
  clock_.advance(BucketMemory::kPresentFor);
  bucket_.erase(key_of(digest_));
  EXPECT_FALSE(url_of(with_bucket(kTeam), digest_)) << "believed for longer than a minute";
}

TEST_F(BucketFetchTest, AManifestKeepsItsTypeAndABlobIsNone) {
  const std::string text = R"({"schemaVersion":2,"layers":[]})";
  const auto manifest = upstream_.put_manifest(kTeam, "v1", text, kManifestType);
  put_in_bucket(manifest, text, kManifestType);
  const auto content = fetch(with_bucket(kTeam, ContentKind::Manifest), manifest);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->media_type(), kManifestType);
  EXPECT_EQ(upstream_.count("GET manifest"), 0u);

  upstream_.put_blob(kTeam, bytes_);
  put_in_bucket(digest_, bytes_);
  EXPECT_FALSE(url_of(with_bucket(kTeam, ContentKind::Manifest), digest_));
}

TEST_F(BucketFetchTest, WhatBreaksOffInTheBucketGoesOnFromTheUpstream) {
  upstream_.put_blob(kTeam, bytes_);
  put_in_bucket(digest_, bytes_);
  std::atomic<int> gets{0};
  bucket_.cut_after = 100'000;
  bucket_.on_call = [&](const std::string& call, const std::string&) -> std::optional<Error> {
    if (call != "get" || gets++ == 0) return std::nullopt;
    return Error{.code = Code::Unavailable, .origin = Origin::Upstream, .retry = Retry::Yes};
  };
  EXPECT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  const auto calls = upstream_.calls();
  EXPECT_EQ(calls.back().what, "GET blob");
  EXPECT_EQ(calls.back().offset, 100'000u);
}

TEST_F(BucketFetchTest, ABucketInTroubleIsDoneWithout) {
  upstream_.put_blob(kTeam, bytes_);
  put_in_bucket(digest_, bytes_);
  bucket_.on_call = [](const std::string&, const std::string&) {
    return Error{.code = Code::Unavailable, .origin = Origin::Upstream, .retry = Retry::Yes};
  };
  EXPECT_FALSE(url_of(with_bucket(kTeam), digest_));
  EXPECT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
}

TEST_F(BucketFetchTest, DamageIsNeverCompletedAndNotMetTwice) {
  upstream_.put_blob(kTeam, bytes_);
  std::string wrong = bytes_;
  wrong[1000] ^= 1;
  put_in_bucket(digest_, wrong);
  const auto received = pull(with_bucket(kTeam), digest_);
  ASSERT_TRUE(received.error);
  EXPECT_LT(received.bytes.size(), kSize);
  wait_for_fills();
  EXPECT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  EXPECT_FALSE(url_of(with_bucket(kTeam), digest_)) << "a client was sent to what is suspected";
}

TEST_F(BucketFetchTest, ADamagedManifestIsFetchedFromTheUpstreamAtOnce) {
  const std::string text = R"({"schemaVersion":2,"layers":[]})";
  const auto manifest = upstream_.put_manifest(kTeam, "v1", text, kManifestType);
  put_in_bucket(manifest, R"({"schemaVersion":3,"layers":[]})", kManifestType);
  const auto content = fetch(with_bucket(kTeam, ContentKind::Manifest), manifest);
  ASSERT_TRUE(content) << content.error().context;
  EXPECT_EQ(run(receive(*content)).bytes, text);
}

TEST_F(BucketFetchTest, AnotherSizeThanTheRegistryTellsIsDamage) {
  const std::string text = R"({"schemaVersion":2,"layers":[]})";
  const auto manifest = upstream_.put_manifest(kTeam, "v1", text, kManifestType);
  put_in_bucket(manifest, text + " ", kManifestType);
  EXPECT_FALSE(url_of(with_bucket(kTeam, ContentKind::Manifest), manifest));
}

class BucketKeeperTest : public BucketFetchTest {
 protected:
  void start() { keeper_.start(context_.get_executor(), tasks_); }
  void wait_for_object(const oci::Digest& digest) {
    run_until([&] { return bucket_.find(key_of(digest)).has_value(); });
  }
  void wait_for_fills() {
    run_until([this] { return fills_.size() == 0; });
  }
};

TEST_F(BucketKeeperTest, WhatIsFilledIsUploadedOnce) {
  start();
  upstream_.put_blob(kTeam, bytes_);
  ASSERT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  wait_for_object(digest_);
  EXPECT_EQ(bucket_.find(key_of(digest_))->bytes, bytes_);
  run_until([&] { return url_of(with_bucket(kTeam), digest_).has_value(); });
  EXPECT_EQ(fetch(with_bucket(kTeam), digest_)->outcome(), Outcome::Hit);
  // Once, and its mark, which may be on its way.
  run_until([&] {
    const auto marks = std::ranges::count(bucket_.keys(), s3::use_key("data", digest_));
    return bucket_.count("put") == 1u + static_cast<std::size_t>(marks);
  });
}

// The attack: a registry serves another's manifest as something else, and it stays so for all. (An
// index may have such a row from before manifests were kept under their own types.)
TEST_F(BucketKeeperTest, AManifestOfAnotherTypeThanItSaysIsNotUploaded) {
  start();
  const std::string text = R"({"schemaVersion":2,"mediaType":")" + std::string(kManifestType) +
                           R"(","config":{"mediaType":"a/b","size":2,"digest":")" + digest_.str() +
                           R"("},"layers":[]})";
  const auto manifest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(text));
  ASSERT_TRUE(
      keep_manifest(services_, with_bucket(kTeam, ContentKind::Manifest),
                    {.digest = manifest,
                     .size = text.size(),
                     .media_type = "application/vnd.docker.distribution.manifest.list.v2+json"},
                    text));
  upstream_.put_blob(kTeam, bytes_);
  ASSERT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  wait_for_object(digest_);  // was offered later
  EXPECT_FALSE(bucket_.find(key_of(manifest)));
}

TEST_F(BucketKeeperTest, AManifestIsUploadedWithItsType) {
  start();
  const std::string text = R"({"schemaVersion":2,"mediaType":")" + std::string(kManifestType) +
                           R"(","config":{"mediaType":"a/b","size":2,"digest":")" + digest_.str() +
                           R"("},"layers":[]})";
  const auto manifest = upstream_.put_manifest(kTeam, "v1", text, kManifestType);
  ASSERT_TRUE(fetch(with_bucket(kTeam, ContentKind::Manifest), manifest));
  wait_for_object(manifest);
  EXPECT_EQ(bucket_.find(key_of(manifest))->media_type, kManifestType);
}

TEST_F(BucketKeeperTest, WhatTheDiskHadBeforeIsUploadedAtTheStart) {
  upstream_.put_blob(kTeam, bytes_);
  ASSERT_EQ(pull(source(kTeam), digest_).bytes, bytes_);
  wait_for_fills();
  const std::string other = bytes_ + "x";
  upstream_.put_blob(kTeam, other);
  ASSERT_EQ(pull(source(kTeam), sha256_of(other)).bytes, other);
  wait_for_fills();
  put_in_bucket(digest_, bytes_);
  start();
  wait_for_object(sha256_of(other));
  const auto calls = bucket_.calls();
  EXPECT_EQ(std::ranges::count(calls, "put " + key_of(digest_)), 0) << "it was there";
}

TEST_F(BucketKeeperTest, WhatHasRottedOnTheDiskIsRemovedAndNotUploaded) {
  std::string rotten = bytes_;
  rotten[1000] ^= 1;
  const auto ingest = store_.begin(digest_, kSize).value();
  ASSERT_TRUE(ingest->write(as_byte_view(rotten)));
  ASSERT_TRUE(ingest->commit());
  index_.add_stored(digest_, "", kSize, {}, clock_.wall());
  start();
  run_until([&] { return !store_.holds(digest_); });
  EXPECT_FALSE(bucket_.find(key_of(digest_)));
  upstream_.put_blob(kTeam, bytes_);
  ASSERT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  wait_for_object(digest_);
  EXPECT_EQ(bucket_.find(key_of(digest_))->bytes, bytes_);
}

TEST_F(BucketKeeperTest, AUseIsMarkedOncePerPeriod) {
  start();
  index_.add_link("reg.test", kTeam, digest_);
  put_in_bucket(digest_, bytes_);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(url_of(with_bucket(kTeam), digest_));
  run_until([&] { return bucket_.find(s3::use_key("data", digest_)).has_value(); });
  EXPECT_EQ(bucket_.count("put"), 1u);
  clock_.advance(BucketEvictor::kMarkedEvery);
  ASSERT_TRUE(url_of(with_bucket(kTeam), digest_));
  run_until([&] { return bucket_.count("put") == 2; });
}

TEST_F(BucketKeeperTest, ABucketThatTakesNoMarksIsNotAskedWithEveryUse) {
  bucket_.on_call = [](const std::string& call, const std::string&) -> std::optional<Error> {
    if (call != "put") return std::nullopt;
    return Error{.code = Code::Denied, .origin = Origin::Upstream};
  };
  start();
  index_.add_link("reg.test", kTeam, digest_);
  put_in_bucket(digest_, bytes_);
  ASSERT_TRUE(url_of(with_bucket(kTeam), digest_));
  run_until([&] { return bucket_.count("put") == 1; });
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(url_of(with_bucket(kTeam), digest_));
  ASSERT_TRUE(bucket_store_.find(digest_));  // comes behind what was asked before
  EXPECT_EQ(bucket_.count("put"), 1u);
  // In a minute it is; the failure may be noted while the clock is moved.
  for (int minutes = 0; bucket_.count("put") < 2; ++minutes) {
    ASSERT_LT(minutes, 30);
    clock_.advance(std::chrono::minutes(1));
    ASSERT_TRUE(url_of(with_bucket(kTeam), digest_));
    ASSERT_TRUE(bucket_store_.find(digest_));
    run_for(std::chrono::milliseconds(5));
  }
}

TEST_F(BucketKeeperTest, DamageIsRemovedFromTheBucket) {
  start();
  upstream_.put_blob(kTeam, bytes_);
  std::string wrong = bytes_;
  wrong[1000] ^= 1;
  put_in_bucket(digest_, wrong);
  ASSERT_TRUE(pull(with_bucket(kTeam), digest_).error);
  run_until([&] { return !bucket_.find(key_of(digest_)); });
  ASSERT_EQ(pull(with_bucket(kTeam), digest_).bytes, bytes_);
  wait_for_object(digest_);
  EXPECT_EQ(bucket_.find(key_of(digest_))->bytes, bytes_);
}

}  // namespace
}  // namespace fairlead::cache
