// SPDX-License-Identifier: Apache-2.0
// Asked through BucketRegistry, as everybody does.
#include "s3/bucket_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "oci/manifest.h"
#include "s3/bucket_registry_fixture.h"
#include "s3/index_reader.h"

namespace fairlead::s3 {
namespace {

using ::testing::HasSubstr;

class BucketContentTest : public BucketRegistryFixture {};

// --- manifests ---

TEST_F(BucketContentTest, ManifestsComeFromTheBucket) {
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

TEST_F(BucketContentTest, TheDocumentTellsItsMediaType) {
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

TEST_F(BucketContentTest, TheIndexTellsTheMediaTypeOfWhatItLists) {
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

  clock_.advance(IndexReader::kRemembered);
  const auto untold = put_oci_manifest("app", "2.0", image_manifest("b"), "text/plain");
  EXPECT_EQ(get(untold.str()), image_manifest("b"));
  EXPECT_EQ(head_.media_type, oci::kOciManifest);
}

TEST_F(BucketContentTest, RevalidatingATagCostsNoDownload) {
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

TEST_F(BucketContentTest, AMovedTagIsSeenAtOnce) {
  put_tagged("app", "1.0", image_manifest("a"));
  ASSERT_TRUE(head("1.0"));
  const auto moved = put_tagged("app", "1.0", image_manifest("b"));
  EXPECT_EQ(head("1.0")->digest, moved);
  EXPECT_EQ(get("1.0"), image_manifest("b"));
}

TEST_F(BucketContentTest, ATagOfAManifestThatTheRepositoryHasNotIsNotFound) {
  use(LayoutKind::Distribution, false);
  const auto foreign = put_revision("private", image_manifest("a"));
  put_tag("app", "1.0", foreign.str());
  EXPECT_EQ(code_of(head("1.0")), Code::NotFound);
  EXPECT_EQ(code_of(get("1.0")), Code::NotFound);
}

TEST_F(BucketContentTest, WhatIsNoManifestIsNotFoundAsOne) {
  use(LayoutKind::Distribution, false);
  const auto nonsense = put_tagged("app", "1.0", "no manifest");
  const auto layer = put_layer("app", image_manifest("a"));
  for (const std::string& reference : {std::string("1.0"), nonsense.str(), layer.str()}) {
    EXPECT_EQ(code_of(head(reference)), Code::NotFound) << reference;
    EXPECT_EQ(code_of(get(reference)), Code::NotFound) << reference;
  }
  EXPECT_EQ(get_blob(layer), image_manifest("a"));
}

TEST_F(BucketContentTest, OtherBytesThanTheDigestSaysAreCorrupt) {
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

TEST_F(BucketContentTest, ManifestsAreBounded) {
  use(LayoutKind::Distribution, false);
  const auto digest = put_revision("app", std::string(oci::kMaxManifestSize + 1, ' '));
  EXPECT_EQ(code_of(get(digest.str())), Code::TooLarge);
}

// --- blobs ---

TEST_F(BucketContentTest, BlobsComeFromTheBucket) {
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

TEST_F(BucketContentTest, ARangeBehindTheEndIsTheQuestionsFault) {
  const auto digest = put_layer("app", "0123456789");
  EXPECT_EQ(code_of(get_blob(digest, 10)), Code::InvalidArgument);
  EXPECT_EQ(code_of(get_blob(digest, 11, 1)), Code::InvalidArgument);
  EXPECT_TRUE(upstream_.calls().empty());
  EXPECT_EQ(get_blob(put_layer("app", "")), "");
}

TEST_F(BucketContentTest, ADownloadThatBreaksSaysWhose) {
  const auto digest = put_layer("app", "0123456789");
  bucket_.cut_after = 4;
  const auto bytes = get_blob(digest);
  EXPECT_EQ(code_of(bytes), Code::Unavailable);
  EXPECT_THAT(bytes.error().context, HasSubstr("registry zot: "));
}

// The attack: a repository is asked for another one's blob.
TEST_F(BucketContentTest, ABlobLinkedOnlyElsewhereIsNeverGivenOut) {
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

TEST_F(BucketContentTest, PlacesAreRememberedForAMinute) {
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

TEST_F(BucketContentTest, WhileTheBucketIsNotWellNobodyIsSentToARememberedPlace) {
  const auto digest = put_layer("app", "layer");
  ASSERT_TRUE(head_blob(digest));
  bucket_.is_well = false;
  auto before = bucket_.calls().size();
  EXPECT_NE(locate(digest), "");
  EXPECT_GT(calls_since(before).size(), 1U);  // asked anew: it answers again
  bucket_.on_call = [](const std::string& call, const std::string&) {
    return call == "presign"
               ? std::nullopt
               : std::optional(Error{Code::Timeout, Origin::Upstream, Retry::Yes, "slow"});
  };
  EXPECT_EQ(locate(digest), "");
  bucket_.is_well = true;
  EXPECT_NE(locate(digest), "");
}

TEST_F(BucketContentTest, WhatIsNotFoundDoesNotTellKeys) {
  for (const LayoutKind kind : {LayoutKind::Distribution, LayoutKind::Oci}) {
    use(kind, false);
    for (const auto& context :
         {head_blob(digest_of("layer")).error().context, head("1.0").error().context,
          get(digest_of("manifest").str()).error().context}) {
      EXPECT_EQ(context, "registry zot: it is not in its bucket");
    }
  }
}

TEST_F(BucketContentTest, WhatIsNotFoundIsNotRemembered) {
  const auto digest = digest_of("layer");
  EXPECT_EQ(code_of(head_blob(digest)), Code::NotFound);
  put_layer("app", "layer");
  EXPECT_TRUE(head_blob(digest));
}

TEST_F(BucketContentTest, ARememberedPlaceThatIsEmptyNowIsLookedForAnew) {
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

}  // namespace
}  // namespace fairlead::s3
