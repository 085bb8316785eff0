// SPDX-License-Identifier: Apache-2.0
#include "cache/bookkeeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/stored_fixture.h"

namespace fairlead::cache {
namespace {

using store::Removal;
using ::testing::Contains;
using Adoption = Bookkeeper::Adoption;

class BookkeeperTest : public StoredFixture {};

TEST_F(BookkeeperTest, FileAndRowGoTogether) {
  const auto digest = put("content");
  index_.add_link("reg", "team", digest);
  EXPECT_EQ(bookkeeper_.remove(digest), Removal::Removed);
  EXPECT_FALSE(holds(digest));
  EXPECT_FALSE(index_.has_link("reg", "team", digest));
  EXPECT_EQ(index_.totals().bytes, 0u);
}

TEST_F(BookkeeperTest, WhatIsInUseKeepsFileAndRow) {
  const auto digest = put("content");
  const auto reader = store_.open(digest);
  EXPECT_EQ(bookkeeper_.remove(digest), Removal::InUse);
  EXPECT_TRUE(holds(digest));
}

TEST_F(BookkeeperTest, WhatCannotBeRemovedKeepsItsRow) {
  const auto digest = put("content");
  store_.faults.remove_fails = true;
  EXPECT_FALSE(bookkeeper_.remove(digest));
  EXPECT_TRUE(holds(digest));
}

TEST_F(BookkeeperTest, ARowWithoutFileGoes) {
  const auto digest = put("content");
  store_.lose(digest);
  EXPECT_EQ(bookkeeper_.remove(digest), Removal::Absent);
  EXPECT_FALSE(holds(digest));
}

TEST_F(BookkeeperTest, WhatIsOnlyDescribedKeepsItsLinks) {
  const auto digest = sha256_of("on its way");
  index_.describe(digest, kImageType, 10);
  index_.add_link("reg", "team", digest);
  EXPECT_EQ(bookkeeper_.remove(digest), Removal::Absent);
  EXPECT_TRUE(index_.has_link("reg", "team", digest));
}

// A fill of the same content publishes and adds its row between unlinking and forgetting.
TEST_F(BookkeeperTest, AFillInBetweenKeepsItsRow) {
  const auto layer = put("layer");
  const auto image = put_image({layer});
  store_.faults.on_removed = [&, is_first = true]() mutable {
    if (std::exchange(is_first, false)) put_image({layer});
  };
  EXPECT_EQ(bookkeeper_.remove(image), Removal::Removed);
  ASSERT_TRUE(holds(image));
  EXPECT_EQ(index_.content(image)->media_type, kImageType);
  EXPECT_EQ(index_.content(image)->size, image_of({layer}).size());
  EXPECT_THAT(index_.content(image)->names, Contains(layer));
}

// The same, and the fill has not come to adding the row.
TEST_F(BookkeeperTest, AFillInBetweenThatAddsItsRowLaterIsNoHarm) {
  const auto digest = put("content");
  store_.faults.on_removed = [&] { publish("content"); };
  EXPECT_EQ(bookkeeper_.remove(digest), Removal::Removed);
  EXPECT_TRUE(holds(digest));
  index_.add_stored(digest, {}, 7, {}, clock_.wall());
  EXPECT_TRUE(holds(digest));
  EXPECT_EQ(index_.totals().bytes, 7u);
  EXPECT_EQ(index_.totals().contents, 1u);
}

TEST_F(BookkeeperTest, DamagedContentGoesThoughItIsRead) {
  const auto digest = publish_as(sha256_of("right"), "wrong");
  index_.add_stored(digest, {}, 5, {}, clock_.wall());
  const auto reader = store_.open(digest).value();
  EXPECT_EQ(bookkeeper_.remove_damaged(digest, *reader), Removal::Removed);
  EXPECT_FALSE(holds(digest));
}

TEST_F(BookkeeperTest, WhatReplacedDamagedContentStays) {
  const auto digest = publish_as(sha256_of("right"), "wrong");
  const auto damaged = store_.inspect(digest).value();
  store_.lose(digest);
  put("right");
  EXPECT_EQ(bookkeeper_.remove_damaged(digest, *damaged), Removal::InUse);
  EXPECT_TRUE(holds(digest));
}

TEST_F(BookkeeperTest, OnlyARowWithoutFileIsDropped) {
  const auto there = put("there");
  const auto gone = put("gone");
  store_.lose(gone);
  EXPECT_EQ(bookkeeper_.drop_row_without_file(there), false);
  EXPECT_EQ(bookkeeper_.drop_row_without_file(gone), true);
  EXPECT_EQ(bookkeeper_.drop_row_without_file(sha256_of("unknown")), false);
  EXPECT_TRUE(holds(there));
  EXPECT_FALSE(holds(gone));
}

// Its disk was unmounted for a moment, or somebody moved the directory.
TEST_F(BookkeeperTest, WhileTheStoreIsAwayNothingIsForgotten) {
  const auto digest = put("content");
  index_.add_link("reg", "team", digest);
  const auto file = store_.inspect(digest).value();
  store_.faults.is_away = true;
  EXPECT_EQ(bookkeeper_.drop_row_without_file(digest).error().code, Code::Io);
  EXPECT_EQ(bookkeeper_.remove(digest).error().code, Code::Io);
  EXPECT_EQ(bookkeeper_.remove_damaged(digest, *file).error().code, Code::Io);
  store_.faults.is_away = false;
  EXPECT_TRUE(holds(digest));
  EXPECT_TRUE(index_.has_link("reg", "team", digest));
}

TEST_F(BookkeeperTest, AnAdoptedManifestTellsItsTypeAndWhatItNames) {
  const auto layer = put("layer");
  const auto image = publish(image_of({layer}));
  EXPECT_EQ(bookkeeper_.adopt(image), Adoption::Adopted);
  ASSERT_TRUE(holds(image));
  const auto row = *index_.content(image);
  EXPECT_EQ(row.media_type, kImageType);
  EXPECT_EQ(row.size, image_of({layer}).size());
  EXPECT_EQ(row.created, clock_.wall());
  EXPECT_THAT(row.names, Contains(layer));
  EXPECT_EQ(bookkeeper_.adopt(image), Adoption::NotNeeded);
}

TEST_F(BookkeeperTest, WhatIsNoManifestIsAdoptedAsABlob) {
  for (const auto* bytes : {"", "x", "plain bytes", "{", "{}", R"({"architecture":"amd64"})"}) {
    const auto digest = publish(bytes);
    EXPECT_EQ(bookkeeper_.adopt(digest), Adoption::Adopted) << bytes;
    ASSERT_TRUE(holds(digest)) << bytes;
    EXPECT_EQ(index_.content(digest)->media_type, "") << bytes;
    EXPECT_TRUE(index_.content(digest)->names.empty()) << bytes;
  }
}

TEST_F(BookkeeperTest, NothingIsAdoptedThatIsNotThere) {
  EXPECT_EQ(bookkeeper_.adopt(sha256_of("nowhere")), Adoption::NotNeeded);
  EXPECT_FALSE(holds(sha256_of("nowhere")));
}

// The attack: whoever can alter a file has a manifest name what he likes.
TEST_F(BookkeeperTest, AnAlteredManifestIsRemovedAndNotBelieved) {
  const auto digest = publish_as(sha256_of("another manifest"), image_of({sha256_of("private")}));
  EXPECT_EQ(bookkeeper_.adopt(digest), Adoption::Damaged);
  EXPECT_FALSE(holds(digest));
}

}  // namespace
}  // namespace fairlead::cache
