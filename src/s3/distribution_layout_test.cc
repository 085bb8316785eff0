// SPDX-License-Identifier: Apache-2.0
#include "s3/distribution_layout.h"

#include <gtest/gtest.h>

#include "s3/distribution_keys.h"
#include "s3/layout_fixture.h"

namespace fairlead::s3 {
namespace {

using Tags = std::vector<std::string>;

TEST(DistributionKeys, AreWhereTheRegistryPutsThem) {
  const auto sha256 = digest_of("x");
  const auto sha512 = oci::digest_of(oci::DigestAlgorithm::Sha512, as_byte_view("x"));
  const std::string hex(sha256.hex());
  const std::string long_hex(sha512.hex());
  const std::pair<std::string, std::string> table[] = {
      {distribution::blob_key("", sha256),
       "docker/registry/v2/blobs/sha256/" + hex.substr(0, 2) + "/" + hex + "/data"},
      {distribution::blob_key("a/b", sha512),
       "a/b/docker/registry/v2/blobs/sha512/" + long_hex.substr(0, 2) + "/" + long_hex + "/data"},
      {distribution::layer_link("", "team/app", sha256),
       "docker/registry/v2/repositories/team/app/_layers/sha256/" + hex + "/link"},
      {distribution::revision_link("r", "app", sha512),
       "r/docker/registry/v2/repositories/app/_manifests/revisions/sha512/" + long_hex + "/link"},
      {distribution::tag_link("", "app", "1.0"),
       "docker/registry/v2/repositories/app/_manifests/tags/1.0/current/link"},
      {distribution::tags_prefix("r", "app"),
       "r/docker/registry/v2/repositories/app/_manifests/tags/"},
  };
  for (const auto& [key, expected] : table) EXPECT_EQ(key, expected);
}

TEST(DistributionKeys, TagsOfListedPrefixes) {
  EXPECT_EQ(distribution::tag_of("a/tags/1.0/", "a/tags/"), "1.0");
  for (const char* prefix : {"a/tags/", "a/tags//", "a/tags/1.0", "b/tags/1.0/", "a/tags/x/y/",
                             "a/tags/.hidden/", "", "a/tags/\n/"}) {
    EXPECT_EQ(distribution::tag_of(prefix, "a/tags/"), std::nullopt) << prefix;
  }
}

TEST(DistributionKeys, ALinkIsADigestAndNothingElse) {
  const std::string good = digest_of("x").str();
  EXPECT_EQ(distribution::parse_link(good), digest_of("x"));
  for (const std::string& bad : {std::string(), good + "\n", " " + good, good.substr(1),
                                 "md5:" + good.substr(7), good + good, std::string(257, 'a')}) {
    EXPECT_EQ(distribution::parse_link(bad), std::nullopt) << bad;
  }
}

class DistributionLayoutTest : public LayoutFixture {
 protected:
  Result<Place> find(const std::string& repository, const oci::Digest& digest, Held held) {
    return run(layout_->find(repository, digest, held));
  }
  std::unique_ptr<Layout> layout_ = make_layout(LayoutKind::Distribution, objects_, "data", clock_);
};

TEST_F(DistributionLayoutTest, ResolvesTags) {
  const auto digest = put_tagged("team/app", "1.0", "manifest");
  EXPECT_EQ(run(resolve(*layout_, "team/app", "1.0")), digest.str() + "|");
  EXPECT_EQ(code_of(run(resolve(*layout_, "team/app", "2.0"))), Code::NotFound);
  EXPECT_EQ(code_of(run(resolve(*layout_, "team", "1.0"))), Code::NotFound);
}

TEST_F(DistributionLayoutTest, NonsenseInsteadOfALinkIsCorrupt) {
  put_tag("app", "1.0", "latest");
  EXPECT_EQ(code_of(run(resolve(*layout_, "app", "1.0"))), Code::Corrupt);
  put_tag("app", "1.0", std::string(300, 'a'));
  EXPECT_EQ(code_of(run(resolve(*layout_, "app", "1.0"))), Code::Corrupt);
  put_tag("app", "1.0", "");
  EXPECT_EQ(code_of(run(resolve(*layout_, "app", "1.0"))), Code::Corrupt);
}

TEST_F(DistributionLayoutTest, FindsLayersByTheirLink) {
  const auto digest = put_layer("team/app", "layer");
  const auto place = find("team/app", digest, Held::AsBlob);
  ASSERT_TRUE(place) << place.error().context;
  EXPECT_EQ(place->key, distribution_blob(digest));
  EXPECT_EQ(place->size, 5U);
}

// The attack: a repository is asked for another one's blob.
TEST_F(DistributionLayoutTest, ABlobLinkedOnlyElsewhereIsNotFound) {
  const auto layer = put_layer("team/private", "layer");
  const auto manifest = put_revision("team/private", "manifest");
  put_layer("team/app", "another");
  for (const char* repository : {"team/app", "team", "team/private/x"}) {
    EXPECT_EQ(code_of(find(repository, layer, Held::AsBlob)), Code::NotFound) << repository;
    EXPECT_EQ(code_of(find(repository, manifest, Held::AsBlob)), Code::NotFound) << repository;
    EXPECT_EQ(code_of(find(repository, manifest, Held::AsManifest)), Code::NotFound) << repository;
  }
  EXPECT_EQ(bucket_.count("head"), 0U);  // nor is it asked for
}

TEST_F(DistributionLayoutTest, AManifestIsAlsoABlobButNoBlobIsAManifest) {
  const auto manifest = put_revision("app", "manifest");
  const auto layer = put_layer("app", "layer");
  EXPECT_TRUE(find("app", manifest, Held::AsManifest));
  EXPECT_TRUE(find("app", manifest, Held::AsBlob));
  EXPECT_EQ(code_of(find("app", layer, Held::AsManifest)), Code::NotFound);
}

TEST_F(DistributionLayoutTest, ALinkToSomethingElseIsCorrupt) {
  const auto asked = put_layer("app", "layer");
  const auto other = put_layer("elsewhere", "other");
  put(distribution_repository("app") + "_layers/sha256/" + std::string(asked.hex()) + "/link",
      other.str());
  EXPECT_EQ(code_of(find("app", asked, Held::AsBlob)), Code::Corrupt);
}

TEST_F(DistributionLayoutTest, ALinkWhoseBlobWasCollectedIsNotFound) {
  const auto digest = put_layer("app", "layer");
  bucket_.erase(distribution_blob(digest));
  EXPECT_EQ(code_of(find("app", digest, Held::AsBlob)), Code::NotFound);
}

TEST_F(DistributionLayoutTest, FailuresAreNotTakenForAbsence) {
  const auto digest = put_layer("app", "layer");
  break_bucket(Code::Unavailable);
  EXPECT_EQ(code_of(find("app", digest, Held::AsBlob)), Code::Unavailable);
  EXPECT_EQ(bucket_.calls().size(), 1U);  // one that fails is enough
  EXPECT_EQ(code_of(run(resolve(*layout_, "app", "1.0"))), Code::Unavailable);
  EXPECT_EQ(code_of(run(layout_->tags("app"))), Code::Unavailable);
}

TEST_F(DistributionLayoutTest, ListsTagsPageByPageSorted) {
  Tags expected;
  for (int i = 0; i < 2100; ++i) {
    const std::string tag = "t" + std::to_string(i);
    put_tagged("app", tag, "manifest");
    expected.push_back(tag);
  }
  put_tagged("app/below", "other", "manifest");
  std::ranges::sort(expected);
  EXPECT_EQ(run(layout_->tags("app")), expected);
  EXPECT_EQ(bucket_.count("list"), 3U);
}

TEST_F(DistributionLayoutTest, NoTagsIsNoSuchRepository) {
  put_layer("app", "layer");
  EXPECT_EQ(code_of(run(layout_->tags("app"))), Code::NotFound);
  EXPECT_EQ(code_of(run(layout_->tags("nothing"))), Code::NotFound);
}

TEST_F(DistributionLayoutTest, RepositoriesShareNothing) {
  const auto digest = put_layer("app", "layer");
  EXPECT_EQ(code_of(run(layout_->find_shared(digest))), Code::NotFound);
  EXPECT_TRUE(bucket_.calls().empty());
}

}  // namespace
}  // namespace fairlead::s3
