// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci/link_header.h"
#include "s3/bucket_registry_fixture.h"

namespace fairlead::s3 {
namespace {

using ::testing::HasSubstr;

class BucketRegistryTest : public BucketRegistryFixture {};

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
      {Code::TooManyRequests, Code::Unavailable},
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

TEST_F(BucketRegistryTest, RepositoriesAreToldByTheRegistryAlone) {
  EXPECT_EQ(run(registry_->list_repositories("n=5", kLimit))->body, "asked for n=5");
  use(LayoutKind::Distribution, false);
  EXPECT_EQ(run(registry_->list_repositories("n=5", kLimit)).error().code, Code::Unsupported);
}

}  // namespace
}  // namespace fairlead::s3
