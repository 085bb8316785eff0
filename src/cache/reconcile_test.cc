// SPDX-License-Identifier: Apache-2.0
#include "cache/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/stored_fixture.h"
#include "store/disk_blob_store.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {
namespace {

using ::testing::Contains;

class ReconcileTest : public StoredFixture {
 protected:
  Reconciled run() {
    const auto reconciled = reconcile(index_, store_, bookkeeper_, log_);
    EXPECT_TRUE(reconciled) << reconciled.error().context;
    return reconciled.value_or(Reconciled{});
  }
};

TEST_F(ReconcileTest, WhatAgreesIsLeftAsItIs) {
  const auto layer = put("layer");
  const auto image = put_image({layer});
  index_.add_link("reg", "team", image);
  const auto found = run();
  EXPECT_EQ(found.rows_dropped + found.files_adopted + found.damaged + found.failed, 0u);
  EXPECT_TRUE(holds(layer));
  EXPECT_TRUE(holds(image));
  EXPECT_TRUE(index_.has_link("reg", "team", image));
}

TEST_F(ReconcileTest, RowsWithoutFilesAreDropped) {
  const auto stays = put("stays");
  const auto lost = put("lost");
  store_.lose(lost);
  EXPECT_EQ(run().rows_dropped, 1u);
  EXPECT_FALSE(holds(lost));
  EXPECT_TRUE(holds(stays));
}

TEST_F(ReconcileTest, FilesWithoutRowsAreAdoptedWithoutLinks) {
  const auto layer = publish("layer");
  const auto image = publish(image_of({layer}));
  index_.add_link("reg", "team", put("known"));
  EXPECT_EQ(run().files_adopted, 2u);
  ASSERT_TRUE(holds(layer));
  ASSERT_TRUE(holds(image));
  EXPECT_EQ(index_.content(layer)->media_type, "");
  EXPECT_EQ(index_.content(image)->media_type, kImageType);
  EXPECT_THAT(index_.content(image)->names, Contains(layer));
  EXPECT_FALSE(index_.has_link("reg", "team", layer)) << "served without having been asked for";
  EXPECT_EQ(run().files_adopted, 0u);
}

TEST_F(ReconcileTest, FilesOfAnotherSizeThanTheirRowsGoWithThem) {
  const auto cut = publish_as(sha256_of("the whole content"), "the wh");
  index_.add_stored(cut, {}, 17, {}, clock_.wall());
  const auto reader = store_.open(cut);
  EXPECT_EQ(run().damaged, 1u);
  EXPECT_FALSE(holds(cut));
}

TEST_F(ReconcileTest, AnAlteredManifestWithoutRowIsRemoved) {
  const auto altered = publish_as(sha256_of("another"), image_of({sha256_of("private")}));
  EXPECT_EQ(run().damaged, 1u);
  EXPECT_FALSE(holds(altered));
}

TEST_F(ReconcileTest, OneThatCannotBeRemovedDoesNotHinderTheOthers) {
  const auto cut = publish_as(sha256_of("the whole content"), "the wh");
  index_.add_stored(cut, {}, 17, {}, clock_.wall());
  const auto without_row = publish("adopt me");
  store_.faults.remove_fails = true;
  const auto found = run();
  EXPECT_EQ(found.failed, 1u);
  EXPECT_EQ(found.files_adopted, 1u);
  EXPECT_TRUE(holds(without_row));
}

// A disk that is not mounted is no empty store.
TEST_F(ReconcileTest, NoRowIsDroppedWhenTheStoreCannotBeListed) {
  const fairlead::testing::TemporaryDirectory directory;
  const auto disk = store::DiskBlobStore::open_directory(directory / "cache").value();
  Bookkeeper bookkeeper(index_, *disk, clock_);
  const auto digest = sha256_of("content");
  index_.add_stored(digest, {}, 7, {}, clock_.wall());
  std::filesystem::rename(directory / "cache", directory / "away");
  EXPECT_FALSE(reconcile(index_, *disk, bookkeeper, log_));
  EXPECT_TRUE(has_row(digest));
  std::filesystem::create_directory(directory / "cache");
  EXPECT_FALSE(reconcile(index_, *disk, bookkeeper, log_)) << "an empty mount point";
  EXPECT_TRUE(has_row(digest));
}

}  // namespace
}  // namespace fairlead::cache
