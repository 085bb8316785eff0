// SPDX-License-Identifier: Apache-2.0
// Changes of a registry whose content is read from its bucket: what it remembers must not outlive
// them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "s3/bucket_registry_fixture.h"

namespace fairlead::s3 {
namespace {

using ::testing::ElementsAre;

class BucketRegistryChangeTest : public BucketRegistryFixture {
 protected:
  Result<upstream::ChangeAnswer> change(const std::string& method,
                                        const std::string& repository = "app") {
    return run(
        registry_->change({.method = method, .repository = repository, .path = "manifests/1.0"}));
  }
  // A manifest that is tagged, and a blob, of which everything is remembered, and nothing is left
  // in the bucket.
  void remember_what_is_gone() {
    use(LayoutKind::Oci, true);
    listed_.clear();
    manifest_ = put_oci_manifest("app", "1.0", image_manifest("a"), "a/b");
    blob_ = put_oci_blob("app", "layer");
    ASSERT_TRUE(head("1.0"));
    ASSERT_TRUE(head_blob(*blob_));
    bucket_.erase("data/app/index.json");
    bucket_.erase(oci_blob("app", *manifest_));
    bucket_.erase(oci_blob("app", *blob_));
    ASSERT_TRUE(is_remembered());
  }
  bool is_remembered() {
    const bool has_tag = head("1.0").has_value();
    const bool has_manifest = head(manifest_->str()).has_value();
    const bool has_blob = head_blob(*blob_).has_value();
    EXPECT_TRUE(has_tag == has_blob && has_manifest == has_blob);
    return has_tag;
  }

  std::optional<oci::Digest> manifest_;
  std::optional<oci::Digest> blob_;
};

TEST_F(BucketRegistryChangeTest, TheRegistryIsAsked) {
  behind_.change_status = 405;
  const auto answer = change("PUT");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 405);
  EXPECT_THAT(behind_.changes, ElementsAre("PUT app manifests/1.0"));
  EXPECT_EQ(run(registry_->list_repositories("n=1", kLimit))->body, "asked for n=1");
}

TEST_F(BucketRegistryChangeTest, ABucketAloneIsOnlyRead) {
  use(LayoutKind::Distribution, false);
  EXPECT_EQ(code_of(change("PUT")), Code::Unsupported);
  EXPECT_EQ(code_of(run(registry_->list_repositories("", kLimit))), Code::Unsupported);
}

TEST_F(BucketRegistryChangeTest, WhatIsDeletedIsGoneAtOnce) {
  remember_what_is_gone();
  ASSERT_TRUE(change("DELETE"));
  EXPECT_FALSE(is_remembered());
}

TEST_F(BucketRegistryChangeTest, WhatAnotherWorkerDeletedIsGoneAtOnce) {
  remember_what_is_gone();
  changed_.note("ap");
  changed_.note("other");
  EXPECT_TRUE(is_remembered());
  changed_.note("app");
  EXPECT_FALSE(is_remembered());
}

TEST(ChangedRepositories, AreToldOnceAndTheLastOnesOnly) {
  ChangedRepositories changed;
  ChangedRepositories::Position position = 0;
  EXPECT_TRUE(changed.since(position).empty());
  changed.note("a");
  changed.note("b");
  EXPECT_THAT(changed.since(position), ElementsAre("a", "b"));
  EXPECT_TRUE(changed.since(position).empty());
  changed.note("c");
  EXPECT_THAT(changed.since(position), ElementsAre("c"));
  for (std::size_t i = 0; i <= ChangedRepositories::kCapacity; ++i) changed.note("d");
  EXPECT_EQ(changed.since(position).size(), ChangedRepositories::kCapacity);
}

TEST_F(BucketRegistryChangeTest, WhatMayHaveBeenDoneIsLookedAtAnew) {
  remember_what_is_gone();
  behind_.change_status.reset();
  EXPECT_FALSE(change("PUT"));
  EXPECT_FALSE(is_remembered());
}

TEST_F(BucketRegistryChangeTest, WhatDoesNotChangeItLeavesItRemembered) {
  remember_what_is_gone();
  EXPECT_TRUE(change("GET"));
  EXPECT_TRUE(change("PATCH"));
  EXPECT_TRUE(change("DELETE", "app2"));
  EXPECT_TRUE(change("DELETE", "ap"));
  behind_.change_status = 404;
  EXPECT_TRUE(change("DELETE"));
  EXPECT_TRUE(is_remembered());
}

TEST_F(BucketRegistryChangeTest, WhatIsPushedIsThereAtOnce) {
  use(LayoutKind::Oci, true);
  const auto first = put_oci_manifest("app", "1.0", image_manifest("a"), "a/b");
  EXPECT_EQ(head("1.0")->digest, first);
  listed_.clear();
  const auto second = put_oci_manifest("app", "1.0", image_manifest("b"), "a/b");
  EXPECT_EQ(head("1.0")->digest, first) << "it is remembered for a moment";
  behind_.change_status = 201;
  ASSERT_TRUE(change("PUT"));
  EXPECT_EQ(head("1.0")->digest, second);
}

// Bytes that a link in one repository stands for were looked for everywhere, and not found.
TEST_F(BucketRegistryChangeTest, WhatWasNowhereIsLookedForAgain) {
  use(LayoutKind::Oci, true);
  const auto blob = digest_of("layer");
  put_oci_manifest("app", "1.0", image_manifest("a"), "a/b");
  put(oci_blob("app", blob), "");
  EXPECT_FALSE(head_blob(blob));
  put_oci_manifest("new/app", "1.0", image_manifest("a"), "a/b");
  put_oci_blob("new/app", "layer");
  EXPECT_FALSE(head_blob(blob));
  behind_.change_status = 201;
  ASSERT_TRUE(change("PUT", "new/app"));
  EXPECT_TRUE(head_blob(blob));
}

}  // namespace
}  // namespace fairlead::s3
