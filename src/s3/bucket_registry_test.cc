// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "oci/link_header.h"
#include "oci/manifest.h"
#include "oci/tag_list.h"
#include "s3/layout_fixture.h"
#include "testing/fake_upstream.h"

namespace fairlead::s3 {
namespace {

using fairlead::testing::FakeRegistry;
using fairlead::testing::FakeUpstream;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t kLimit = 1u << 20;

// The registry behind: FakeRegistry, with documents and a quota, and errors for all.
class Behind final : public upstream::Registry {
 public:
  explicit Behind(FakeUpstream& upstream) : registry_(upstream) {}

  std::optional<Error> error{};
  std::optional<upstream::Document> document{};
  std::vector<std::string> documents_asked{};

  async::Task<Result<upstream::ContentHead>> head_manifest(std::string repository,
                                                           std::string reference,
                                                           std::string accept) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.head_manifest(repository, reference, accept);
  }
  async::Task<Result<upstream::Download>> get_manifest(std::string repository,
                                                       std::string reference,
                                                       std::string accept) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.get_manifest(repository, reference, accept);
  }
  async::Task<Result<upstream::ContentHead>> head_blob(std::string repository,
                                                       oci::Digest digest) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.head_blob(repository, digest);
  }
  async::Task<Result<upstream::Download>> get_blob(std::string repository, oci::Digest digest,
                                                   std::uint64_t offset,
                                                   std::optional<std::uint64_t> length) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.get_blob(repository, digest, offset, length);
  }
  async::Task<Result<upstream::Document>> get_document(std::string repository,
                                                       std::string path_and_query, std::string,
                                                       std::size_t) override {
    documents_asked.push_back(repository + " " + path_and_query);
    if (error) co_return std::unexpected(*error);
    if (!document) co_return upstream_error(Code::NotFound, Retry::No, "no such document");
    co_return *document;
  }
  async::Task<Result<std::optional<upstream::Location>>> locate_blob(std::string,
                                                                     oci::Digest) override {
    co_return upstream::Location{.url = "https://behind.test/"};
  }
  [[nodiscard]] std::optional<upstream::Quota> quota() const override {
    return upstream::Quota{.limit = 100, .remaining = 7};
  }

 private:
  FakeRegistry registry_;
};

class BucketRegistryTest : public LayoutFixture {
 protected:
  BucketRegistryTest() { use(LayoutKind::Distribution, true); }

  void use(LayoutKind kind, bool has_behind) {
    registry_ = std::make_unique<BucketRegistry>(
        BucketRegistryOptions{.name = "zot", .expiry = std::chrono::minutes(5)},
        make_layout(kind, objects_, "data", clock_), objects_, has_behind ? &behind_ : nullptr,
        clock_);
  }

  Result<upstream::ContentHead> head(const std::string& reference) {
    return run(registry_->head_manifest("app", reference, ""));
  }
  // The bytes; the head of the answer is in head_.
  Result<std::string> get(const std::string& reference) {
    return read(run(registry_->get_manifest("app", reference, "")));
  }
  Result<upstream::ContentHead> head_blob(const oci::Digest& digest) {
    return run(registry_->head_blob("app", digest));
  }
  Result<std::string> get_blob(const oci::Digest& digest, std::uint64_t offset = 0,
                               std::optional<std::uint64_t> length = {}) {
    return read(run(registry_->get_blob("app", digest, offset, length)));
  }
  Result<std::string> read(Result<upstream::Download> download) {
    if (!download) return std::unexpected(download.error());
    head_ = download->head;
    offset_ = download->offset;
    std::string text;
    for (;;) {
      const auto piece = run(download->body->read());
      if (!piece) return std::unexpected(piece.error());
      if (piece->empty()) return text;
      text += as_text(*piece);
    }
  }
  Result<upstream::Document> document(const std::string& path) {
    return run(registry_->get_document("app", path, "", kLimit));
  }
  // "" for none.
  std::string locate(const oci::Digest& digest, const std::string& repository = "app") {
    const auto location = run(registry_->locate_blob(repository, digest));
    return location && *location ? (*location)->url : "";
  }
  std::string locate_manifest(const oci::Digest& digest, const std::string& media_type) {
    const auto location = run(registry_->locate_manifest("app", digest, media_type));
    return location && *location ? (*location)->url : "";
  }
  void fail_behind(Code code, const std::string& context = "registry zot: behind says no") {
    behind_.error = Error{code, Origin::Upstream, Retry::Yes, context};
  }
  std::vector<std::string> calls_since(std::size_t count) const {
    const auto calls = bucket_.calls();
    return {calls.begin() + static_cast<std::ptrdiff_t>(count), calls.end()};
  }

  FakeUpstream upstream_;
  Behind behind_{upstream_};
  std::unique_ptr<BucketRegistry> registry_;
  upstream::ContentHead head_;
  std::uint64_t offset_ = 0;
};

// --- manifests ---

TEST_F(BucketRegistryTest, ManifestsComeFromTheBucket) {
  const std::string text = image_manifest("a");
  const auto digest = put_tagged("app", "1.0", text);
  for (const std::string& reference : {std::string("1.0"), digest.str()}) {
    EXPECT_EQ(get(reference), text);
    EXPECT_EQ(head_.digest, digest);
    EXPECT_EQ(head_.size, text.size());
    EXPECT_EQ(head_.media_type, oci::kOciManifest);
    const auto told = head(reference);
    ASSERT_TRUE(told) << told.error().context;
    EXPECT_EQ(told->digest, digest);
    EXPECT_EQ(told->size, text.size());
    EXPECT_EQ(told->media_type, oci::kOciManifest);
  }
  EXPECT_TRUE(upstream_.calls().empty());
}

TEST_F(BucketRegistryTest, TheDocumentTellsItsMediaType) {
  const std::string list = R"({"schemaVersion":2,"manifests":[]})";
  const std::string schema1 = R"({"schemaVersion":1,"name":"x","tag":"y","fsLayers":[]})";
  const std::pair<std::string, std::string_view> table[] = {
      {image_manifest("a"), oci::kOciManifest},
      {image_manifest("b", oci::kDockerManifest), oci::kDockerManifest},
      {list, oci::kOciIndex},
      {schema1, oci::kDockerSchema1},
  };
  for (const auto& [text, media_type] : table) {
    const auto told = head(put_revision("app", text).str());
    ASSERT_TRUE(told) << told.error().context;
    EXPECT_EQ(told->media_type, media_type);
  }
}

TEST_F(BucketRegistryTest, TheIndexTellsTheMediaTypeOfWhatItLists) {
  use(LayoutKind::Oci, false);
  const std::string text = image_manifest("a");  // says nothing itself
  const auto digest = put_oci_manifest("app", "1.0", text, oci::kDockerManifest);
  const auto told = head("1.0");
  ASSERT_TRUE(told) << told.error().context;
  EXPECT_EQ(told->media_type, oci::kDockerManifest);
  EXPECT_EQ(told->size, text.size());
  EXPECT_EQ(bucket_.count("get_text"), 1U);  // index.json, and no manifest
  EXPECT_EQ(get(digest.str()), text);
  EXPECT_EQ(head_.media_type, oci::kDockerManifest);

  const auto untold = put_oci_manifest("app", "2.0", image_manifest("b"), "text/plain");
  EXPECT_EQ(get(untold.str()), image_manifest("b"));
  EXPECT_EQ(head_.media_type, oci::kOciManifest);
}

TEST_F(BucketRegistryTest, RevalidatingATagCostsNoDownload) {
  const auto digest = put_tagged("app", "1.0", image_manifest("a"));
  ASSERT_TRUE(head("1.0"));
  const std::string download = "get_text " + distribution_blob(digest);
  EXPECT_EQ(std::ranges::count(bucket_.calls(), download), 1);
  for (int i = 0; i < 5; ++i) {
    clock_.advance(BucketRegistry::kRemembered);
    const auto told = head("1.0");
    ASSERT_TRUE(told);
    EXPECT_EQ(told->media_type, oci::kOciManifest);
    EXPECT_EQ(told->size, image_manifest("a").size());
  }
  EXPECT_EQ(std::ranges::count(bucket_.calls(), download), 1);
}

TEST_F(BucketRegistryTest, AMovedTagIsSeenAtOnce) {
  put_tagged("app", "1.0", image_manifest("a"));
  ASSERT_TRUE(head("1.0"));
  const auto moved = put_tagged("app", "1.0", image_manifest("b"));
  EXPECT_EQ(head("1.0")->digest, moved);
  EXPECT_EQ(get("1.0"), image_manifest("b"));
}

TEST_F(BucketRegistryTest, ATagOfAManifestThatTheRepositoryHasNotIsNotFound) {
  use(LayoutKind::Distribution, false);
  const auto foreign = put_revision("private", image_manifest("a"));
  put_tag("app", "1.0", foreign.str());
  EXPECT_EQ(code_of(head("1.0")), Code::NotFound);
  EXPECT_EQ(code_of(get("1.0")), Code::NotFound);
}

TEST_F(BucketRegistryTest, WhatIsNoManifestIsNotFoundAsOne) {
  use(LayoutKind::Distribution, false);
  const auto nonsense = put_tagged("app", "1.0", "no manifest");
  const auto layer = put_layer("app", image_manifest("a"));
  for (const std::string& reference : {std::string("1.0"), nonsense.str(), layer.str()}) {
    EXPECT_EQ(code_of(head(reference)), Code::NotFound) << reference;
    EXPECT_EQ(code_of(get(reference)), Code::NotFound) << reference;
  }
  EXPECT_EQ(get_blob(layer), image_manifest("a"));
}

TEST_F(BucketRegistryTest, OtherBytesThanTheDigestSaysAreCorrupt) {
  for (const LayoutKind kind : {LayoutKind::Distribution, LayoutKind::Oci}) {
    use(kind, false);
    const auto digest = put_tagged("app", "1.0", image_manifest("a"));
    put_oci_manifest("app", "1.0", image_manifest("a"), oci::kOciManifest);
    put(distribution_blob(digest), image_manifest("b"));
    put(oci_blob("app", digest), image_manifest("b"));
    EXPECT_EQ(code_of(get("1.0")), Code::Corrupt);
    EXPECT_EQ(code_of(get(digest.str())), Code::Corrupt);
  }
  use(LayoutKind::Distribution, false);
  EXPECT_EQ(code_of(head("1.0")), Code::Corrupt);  // told by nobody but the bytes
}

TEST_F(BucketRegistryTest, ManifestsAreBounded) {
  use(LayoutKind::Distribution, false);
  const auto digest = put_revision("app", std::string(oci::kMaxManifestSize + 1, ' '));
  EXPECT_EQ(code_of(get(digest.str())), Code::TooLarge);
}

// --- blobs ---

TEST_F(BucketRegistryTest, BlobsComeFromTheBucket) {
  const auto digest = put_layer("app", "0123456789");
  const auto told = head_blob(digest);
  ASSERT_TRUE(told) << told.error().context;
  EXPECT_EQ(told->digest, digest);
  EXPECT_EQ(told->size, 10U);
  EXPECT_EQ(get_blob(digest), "0123456789");
  EXPECT_EQ(head_.digest, digest);
  EXPECT_EQ(head_.size, 10U);
  EXPECT_EQ(get_blob(digest, 3), "3456789");
  EXPECT_EQ(offset_, 3U);
  EXPECT_EQ(head_.size, 10U);
  EXPECT_EQ(get_blob(digest, 3, 4), "3456");
  EXPECT_TRUE(upstream_.calls().empty());
}

TEST_F(BucketRegistryTest, ARangeBehindTheEndIsTheQuestionsFault) {
  const auto digest = put_layer("app", "0123456789");
  EXPECT_EQ(code_of(get_blob(digest, 10)), Code::InvalidArgument);
  EXPECT_EQ(code_of(get_blob(digest, 11, 1)), Code::InvalidArgument);
  EXPECT_TRUE(upstream_.calls().empty());
  EXPECT_EQ(get_blob(put_layer("app", "")), "");
}

TEST_F(BucketRegistryTest, ADownloadThatBreaksSaysWhose) {
  const auto digest = put_layer("app", "0123456789");
  bucket_.cut_after = 4;
  const auto bytes = get_blob(digest);
  EXPECT_EQ(code_of(bytes), Code::Unavailable);
  EXPECT_THAT(bytes.error().context, HasSubstr("registry zot: "));
}

// The attack: a repository is asked for another one's blob.
TEST_F(BucketRegistryTest, ABlobLinkedOnlyElsewhereIsNeverGivenOut) {
  for (const LayoutKind kind : {LayoutKind::Distribution, LayoutKind::Oci}) {
    for (const bool has_behind : {false, true}) {
      use(kind, has_behind);
      const auto layer = put_layer("private", "layer");
      put_oci_blob("private", "layer");
      const auto manifest = put_tagged("private", "1.0", image_manifest("a"));
      put_oci_manifest("private", "1.0", image_manifest("a"), oci::kOciManifest);
      // What its own repository was told is not another's.
      EXPECT_NE(locate(layer, "private"), "");
      ASSERT_TRUE(run(registry_->head_manifest("private", "1.0", "")));
      ASSERT_TRUE(run(registry_->head_blob("private", manifest)));

      EXPECT_EQ(locate(layer), "");
      EXPECT_EQ(locate(manifest), "");
      EXPECT_EQ(locate_manifest(manifest, ""), "");
      EXPECT_EQ(code_of(head_blob(layer)), Code::NotFound);
      EXPECT_EQ(code_of(get_blob(layer)), Code::NotFound);
      EXPECT_EQ(code_of(get_blob(manifest)), Code::NotFound);
      EXPECT_EQ(code_of(head(manifest.str())), Code::NotFound);
      EXPECT_EQ(code_of(get(manifest.str())), Code::NotFound);
    }
  }
}

TEST_F(BucketRegistryTest, PlacesAreRememberedForAMinute) {
  const auto digest = put_layer("app", "layer");
  ASSERT_TRUE(head_blob(digest));
  const auto before = bucket_.calls().size();
  EXPECT_EQ(get_blob(digest), "layer");
  EXPECT_NE(locate(digest), "");
  EXPECT_EQ(calls_since(before), (std::vector{"get " + distribution_blob(digest),
                                              "presign " + distribution_blob(digest)}));
  clock_.advance(BucketRegistry::kRemembered);
  bucket_.erase(distribution_repository("app") + "_layers/sha256/" + std::string(digest.hex()) +
                "/link");
  EXPECT_EQ(code_of(head_blob(digest)), Code::NotFound);
}

TEST_F(BucketRegistryTest, WhatIsNotFoundIsNotRemembered) {
  const auto digest = digest_of("layer");
  EXPECT_EQ(code_of(head_blob(digest)), Code::NotFound);
  put_layer("app", "layer");
  EXPECT_TRUE(head_blob(digest));
}

TEST_F(BucketRegistryTest, ARememberedPlaceThatIsEmptyNowIsLookedForAnew) {
  use(LayoutKind::Oci, false);
  const auto digest = put_oci_blob("app", "layer");
  ASSERT_TRUE(head_blob(digest));
  put(oci_blob("app", digest), "");  // deduplicated meanwhile
  put("data/_blobstore/blobs/sha256/" + std::string(digest.hex()), "layer");
  EXPECT_EQ(get_blob(digest), "layer");

  const auto manifest = put_oci_manifest("app", "1.0", image_manifest("a"), oci::kOciManifest);
  ASSERT_TRUE(head("1.0"));
  bucket_.erase(oci_blob("app", manifest));
  EXPECT_EQ(code_of(get("1.0")), Code::NotFound);
}

// --- the registry behind ---

TEST_F(BucketRegistryTest, WhatTheBucketHasNotComesFromTheRegistry) {
  const auto blob = upstream_.put_blob("app", "layer");
  const auto manifest = upstream_.put_manifest("app", "1.0", "manifest", "a/b");
  EXPECT_EQ(head_blob(blob)->size, 5U);
  EXPECT_EQ(get_blob(blob, 2, 2), "ye");
  EXPECT_EQ(head("1.0")->digest, manifest);
  EXPECT_EQ(head(manifest.str())->media_type, "a/b");
  EXPECT_EQ(get("1.0"), "manifest");
  EXPECT_EQ(get(manifest.str()), "manifest");
}

TEST_F(BucketRegistryTest, WhatNeitherHasIsNotFound) {
  EXPECT_EQ(code_of(head("1.0")), Code::NotFound);
  EXPECT_EQ(code_of(get("1.0")), Code::NotFound);
  EXPECT_EQ(code_of(head_blob(digest_of("x"))), Code::NotFound);
  EXPECT_EQ(code_of(get_blob(digest_of("x"))), Code::NotFound);
}

TEST_F(BucketRegistryTest, WhatTheRegistrySaysOfWhatTheBucketHasNotCounts) {
  for (const Code code : {Code::Denied, Code::Unauthorized, Code::Timeout, Code::TooManyRequests}) {
    fail_behind(code);
    EXPECT_EQ(code_of(head("1.0")), code);
    EXPECT_EQ(head("1.0").error().context, "registry zot: behind says no");
  }
}

TEST_F(BucketRegistryTest, ABucketThatFailsIsPulledFromBehind) {
  const auto blob = upstream_.put_blob("app", "layer");
  upstream_.put_manifest("app", "1.0", "manifest", "a/b");
  for (const Code code : {Code::Unauthorized, Code::Denied, Code::InvalidArgument, Code::Timeout,
                          Code::TooManyRequests, Code::Unavailable, Code::Corrupt}) {
    break_bucket(code);
    EXPECT_TRUE(head_blob(blob));
    EXPECT_EQ(get_blob(blob), "layer");
    EXPECT_TRUE(head("1.0"));
    EXPECT_EQ(get("1.0"), "manifest");
    EXPECT_EQ(locate(blob), "");
  }
}

TEST_F(BucketRegistryTest, ADamagedManifestIsPulledFromBehind) {
  const auto digest = put_tagged("app", "1.0", image_manifest("a"));
  put(distribution_blob(digest), image_manifest("b"));
  upstream_.put_manifest("app", "1.0", image_manifest("a"), "a/b");
  EXPECT_EQ(get("1.0"), image_manifest("a"));
}

TEST_F(BucketRegistryTest, WhileTheBucketFailsNothingIsNotFound) {
  break_bucket(Code::Unauthorized, "the bucket data does not take our credentials");
  for (const auto& error : {head("1.0").error(), get("1.0").error(),
                            head_blob(digest_of("x")).error(), get_blob(digest_of("x")).error()}) {
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.retry, Retry::Yes);
    EXPECT_EQ(error.origin, Origin::Upstream);
    EXPECT_THAT(error.context, HasSubstr("is unknown"));
    EXPECT_THAT(error.context, HasSubstr("the bucket data does not take our credentials"));
  }
}

TEST_F(BucketRegistryTest, WhereBothFailBothAreTold) {
  break_bucket(Code::Unavailable);
  fail_behind(Code::Timeout);
  const auto told = head("1.0");
  EXPECT_EQ(code_of(told), Code::Timeout);
  EXPECT_THAT(told.error().context, HasSubstr("behind says no"));
  EXPECT_THAT(told.error().context, HasSubstr("the bucket data does not answer"));
}

TEST_F(BucketRegistryTest, WhoStopsAsksNobodyElse) {
  break_bucket(Code::Cancelled);
  EXPECT_EQ(code_of(head("1.0")), Code::Cancelled);
  EXPECT_EQ(code_of(get_blob(digest_of("x"))), Code::Cancelled);
  EXPECT_TRUE(upstream_.calls().empty());
}

TEST_F(BucketRegistryTest, AloneTheBucketsErrorsAreTheRegistrys) {
  use(LayoutKind::Distribution, false);
  const std::pair<Code, Code> table[] = {
      {Code::NotFound, Code::NotFound},
      {Code::Unauthorized, Code::Unavailable},     // they are our credentials, not the client's
      {Code::Denied, Code::Unavailable},           // as well
      {Code::InvalidArgument, Code::Unavailable},  // no such bucket, the clock
      {Code::TooManyRequests, Code::TooManyRequests},
      {Code::Unavailable, Code::Unavailable},
      {Code::Timeout, Code::Timeout},
      {Code::Corrupt, Code::Corrupt},
      {Code::TooLarge, Code::Corrupt},  // a link cannot be
      {Code::Cancelled, Code::Cancelled},
  };
  for (const auto& [code, expected] : table) {
    break_bucket(code, "the bucket data is not well");
    const auto digest = digest_of("x");
    for (const auto& error : {head("1.0").error(), get("1.0").error(), get(digest.str()).error(),
                              head_blob(digest).error(), get_blob(digest).error()}) {
      EXPECT_EQ(error.code, expected) << to_string(code);
      EXPECT_EQ(error.origin, Origin::Upstream);
      EXPECT_THAT(error.context, HasSubstr("registry zot"));
    }
    EXPECT_EQ(locate(digest), "");
  }
  break_bucket(Code::Unauthorized, "the bucket data is not well");
  EXPECT_THAT(head("1.0").error().context, HasSubstr("the bucket data is not well"));
}

// --- locations ---

TEST_F(BucketRegistryTest, LocatesBlobsByPresignedUrls) {
  const auto digest = put_layer("app", "layer");
  EXPECT_EQ(locate(digest), "https://bucket.test/" + distribution_blob(digest) +
                                "?type=application/octet-stream&expiry=300");
  const auto before = bucket_.calls().size();
  EXPECT_NE(locate(digest), "");
  EXPECT_EQ(calls_since(before), std::vector{"presign " + distribution_blob(digest)});
}

TEST_F(BucketRegistryTest, LocatesManifestsWithTheirMediaType) {
  const auto digest = put_revision("app", image_manifest("a"));
  EXPECT_EQ(locate_manifest(digest, "a/b"),
            "https://bucket.test/" + distribution_blob(digest) + "?type=a/b&expiry=300");
  const auto layer = put_layer("app", "layer");
  EXPECT_EQ(locate_manifest(layer, "a/b"), "");
}

TEST_F(BucketRegistryTest, WhatIsOnlyBehindHasNoLocation) {
  const auto digest = upstream_.put_blob("app", "layer");
  EXPECT_EQ(locate(digest), "");
  EXPECT_EQ(upstream_.count("HEAD blob"), 0U);  // nothing is shared here: no reason to ask
}

TEST_F(BucketRegistryTest, SharedBytesNeedTheRegistrysWord) {
  use(LayoutKind::Oci, true);
  const auto digest = digest_of("layer");
  const std::string key = "data/_blobstore/blobs/sha256/" + std::string(digest.hex());
  put(key, "layer");
  EXPECT_EQ(locate(digest), "");
  fail_behind(Code::Unavailable);
  EXPECT_EQ(locate(digest), "");
  behind_.error.reset();

  upstream_.put_blob("app", "layer");
  EXPECT_THAT(locate(digest), HasSubstr(key));
  const auto asked = upstream_.count("HEAD blob");
  EXPECT_THAT(locate(digest), HasSubstr(key));  // remembered
  EXPECT_EQ(upstream_.count("HEAD blob"), asked);
  EXPECT_EQ(locate(digest, "other"), "");
  clock_.advance(BucketRegistry::kRemembered);
  upstream_.remove("blob", "app", digest.str());
  EXPECT_EQ(locate(digest), "");
}

TEST_F(BucketRegistryTest, SharedBytesOfAnotherSizeAreNotGivenOut) {
  use(LayoutKind::Oci, true);
  const auto digest = upstream_.put_blob("app", "layer");
  put("data/_blobstore/blobs/sha256/" + std::string(digest.hex()), "lay");
  EXPECT_EQ(locate(digest), "");
}

TEST_F(BucketRegistryTest, AloneSharedBytesAreNotGivenOut) {
  use(LayoutKind::Oci, false);
  const auto digest = digest_of("layer");
  put("data/_blobstore/blobs/sha256/" + std::string(digest.hex()), "layer");
  EXPECT_EQ(locate(digest), "");
  EXPECT_EQ(code_of(get_blob(digest)), Code::NotFound);
}

// --- documents ---

TEST_F(BucketRegistryTest, ListsComeFromTheRegistry) {
  put_tagged("app", "bucket", image_manifest("a"));
  behind_.document = upstream::Document{.body = "{}", .link = "l", .warning = "w"};
  for (const std::string path : {"tags/list?n=5", "referrers/sha256:0?artifactType=x"}) {
    const auto told = document(path);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->body, "{}");
    EXPECT_EQ(told->link, "l");
    EXPECT_EQ(behind_.documents_asked.back(), "app " + path);
  }
  EXPECT_TRUE(bucket_.calls().empty());
}

TEST_F(BucketRegistryTest, WhatTheRegistryRefusesTheBucketDoesNotTell) {
  put_tagged("app", "bucket", image_manifest("a"));
  for (const Code code : {Code::NotFound, Code::Denied, Code::Unauthorized, Code::TooLarge}) {
    fail_behind(code);
    EXPECT_EQ(code_of(document("tags/list")), code);
  }
  EXPECT_TRUE(bucket_.calls().empty());
}

TEST_F(BucketRegistryTest, WhileTheRegistryIsAwayTagsComeFromTheBucket) {
  put_tagged("app", "1.0", image_manifest("a"));
  for (const Code code : {Code::Unavailable, Code::Timeout, Code::TooManyRequests}) {
    fail_behind(code);
    const auto told = document("tags/list");
    ASSERT_TRUE(told) << told.error().context;
    EXPECT_EQ(told->body, R"({"name":"app","tags":["1.0"]})");
    EXPECT_EQ(code_of(document("referrers/" + digest_of("x").str())), code);
    EXPECT_EQ(code_of(run(registry_->get_document("other", "tags/list", "", kLimit))), code);
  }
  break_bucket(Code::Timeout);
  fail_behind(Code::Unavailable);
  const auto told = document("tags/list");
  EXPECT_EQ(code_of(told), Code::Unavailable);
  EXPECT_THAT(told.error().context, HasSubstr("behind says no"));
  EXPECT_THAT(told.error().context, HasSubstr("the bucket data does not answer"));
}

TEST_F(BucketRegistryTest, AloneTagsAreListedPageByPage) {
  for (const LayoutKind kind : {LayoutKind::Distribution, LayoutKind::Oci}) {
    use(kind, false);
    for (const char* tag : {"c", "a", "e", "b", "d"}) {
      put_tagged("app", tag, image_manifest("a"));
      put_oci_manifest("app", tag, image_manifest("a"), oci::kOciManifest);
    }
    const auto all = document("tags/list");
    ASSERT_TRUE(all) << all.error().context;
    EXPECT_EQ(all->body, R"({"name":"app","tags":["a","b","c","d","e"]})");
    EXPECT_EQ(all->media_type, "application/json");
    EXPECT_EQ(all->link, "");

    const auto page = document("tags/list?n=2");
    EXPECT_EQ(page->body, R"({"name":"app","tags":["a","b"]})");
    EXPECT_EQ(page->link, R"(</v2/app/tags/list?last=b&n=2>; rel="next")");
    // As the gateway follows it.
    const std::string next = oci::link_query(*oci::next_link(page->link));
    EXPECT_EQ(document("tags/list?" + next)->body, R"({"name":"app","tags":["c","d"]})");
    const auto last = document("tags/list?last=d&n=2");
    EXPECT_EQ(last->body, R"({"name":"app","tags":["e"]})");
    EXPECT_EQ(last->link, "");
    EXPECT_EQ(document("tags/list?last=bb")->body, R"({"name":"app","tags":["c","d","e"]})");
    EXPECT_EQ(document("tags/list?last=z")->body, R"({"name":"app","tags":[]})");
    const auto none = document("tags/list?n=0");
    EXPECT_EQ(none->body, R"({"name":"app","tags":[]})");
    EXPECT_EQ(none->link, "");
    EXPECT_EQ(code_of(document("tags/list?n=many")), Code::InvalidArgument);
    EXPECT_EQ(code_of(run(registry_->get_document("other", "tags/list", "", kLimit))),
              Code::NotFound);
  }
}

TEST_F(BucketRegistryTest, AloneReferrersAreFoundByTheirTag) {
  use(LayoutKind::Distribution, false);
  const auto subject = digest_of("subject");
  EXPECT_EQ(code_of(document("referrers/" + subject.str())), Code::NotFound);
  const std::string path = "manifests/sha256-" + std::string(subject.hex());
  EXPECT_EQ(code_of(document(path)), Code::NotFound);

  const std::string index = R"({"schemaVersion":2,"manifests":[]})";
  put_tagged("app", "sha256-" + std::string(subject.hex()), index);
  const auto told = document(path);
  ASSERT_TRUE(told) << told.error().context;
  EXPECT_EQ(told->body, index);
  EXPECT_EQ(told->media_type, oci::kOciIndex);
}

TEST_F(BucketRegistryTest, AloneAllOtherDocumentsAreNotFound) {
  use(LayoutKind::Distribution, false);
  for (const char* path : {"", "?n=1", "tags", "tags/list/x", "manifests/", "manifests/../x",
                           "blobs/uploads/", "manifests/a/b"}) {
    EXPECT_EQ(code_of(document(path)), Code::NotFound) << path;
  }
  EXPECT_TRUE(bucket_.calls().empty());
}

TEST_F(BucketRegistryTest, DocumentsAreBounded) {
  use(LayoutKind::Distribution, false);
  put_tagged("app", "1.0", image_manifest("a"));
  EXPECT_EQ(code_of(run(registry_->get_document("app", "tags/list", "", 5))), Code::TooLarge);
  EXPECT_EQ(code_of(run(registry_->get_document("app", "manifests/1.0", "", 5))), Code::TooLarge);
}

TEST_F(BucketRegistryTest, TheQuotaIsTheRegistrys) {
  ASSERT_TRUE(registry_->quota());
  EXPECT_EQ(registry_->quota()->remaining, 7U);
  use(LayoutKind::Distribution, false);
  EXPECT_FALSE(registry_->quota());
}

}  // namespace
}  // namespace fairlead::s3
