// SPDX-License-Identifier: Apache-2.0
#include "cache/purge.h"

#include <gtest/gtest.h>

#include "cache/inventory.h"
#include "cache/stored_fixture.h"

namespace fairlead::cache {
namespace {

// Two repositories with an image each that share a layer; one of them has a second tag.
class PurgeTest : public StoredFixture {
 protected:
  PurgeTest() {
    for (const auto& [repository, image, layers] :
         {std::tuple{"team/app", app_, std::vector{shared_, own_}},
          std::tuple{"team/app", next_, std::vector{own_}},
          std::tuple{"team/tool", tool_, std::vector{shared_}}}) {
      index_.add_link("reg", repository, image);
      for (const auto& layer : layers) index_.add_link("reg", repository, layer);
    }
    tag("team/app", "1", app_);
    tag("team/app", "2", next_);
    tag("team/tool", "1", tool_);
  }
  void tag(std::string_view repository, std::string_view name, const oci::Digest& digest) {
    index_.put_tag({"reg", repository, name, ""}, {.digest = digest});
  }
  Purged purge(const std::vector<const char*>& texts) {
    std::vector<ImagePattern> patterns;
    for (const char* text : texts) patterns.push_back(ImagePattern::parse(text).value());
    const auto purged = cache::purge(index_, bookkeeper_, patterns);
    EXPECT_TRUE(purged);
    return purged.value_or(Purged{});
  }
  [[nodiscard]] std::vector<std::string> listed() const {
    std::vector<std::string> names;
    for (const auto& image : list_images(index_, std::nullopt)) {
      names.push_back(image.repository + ":" + image.tag);
    }
    return names;
  }

  const oci::Digest shared_ = put_blob(1000);
  const oci::Digest own_ = put_blob(2000);
  const oci::Digest app_ = put_image({shared_, own_});
  const oci::Digest next_ = put_image({own_});
  const oci::Digest tool_ = put_image({shared_});
};

using Names = std::vector<std::string>;

TEST_F(PurgeTest, ARepositoryGoesWithWhatOnlyItHas) {
  const Purged purged = purge({"reg/team/app"});
  EXPECT_EQ(purged.removed, 3u);
  EXPECT_EQ(listed(), Names{"team/tool:1"});
  EXPECT_FALSE(holds(app_) || holds(next_) || holds(own_));
  EXPECT_TRUE(holds(shared_));
  EXPECT_FALSE(index_.has_link("reg", "team/app", shared_)) << "the permission is left";
  EXPECT_TRUE(index_.has_link("reg", "team/tool", shared_));
}

TEST_F(PurgeTest, ATagLeavesWhatOtherTagsMean) {
  const Purged purged = purge({"reg/team/app:1"});
  EXPECT_EQ(purged.removed, 1u);
  EXPECT_EQ(listed(), (Names{"team/app:2", "team/tool:1"}));
  EXPECT_TRUE(holds(own_) && index_.has_link("reg", "team/app", own_));
  EXPECT_FALSE(index_.has_link("reg", "team/app", shared_));
  EXPECT_TRUE(holds(shared_));
}

TEST_F(PurgeTest, EverythingIsAlsoWhatHasNoOwner) {
  const auto adopted = put_blob(10);
  EXPECT_EQ(purge({"**"}).removed, 6u);
  EXPECT_FALSE(holds(adopted));
  EXPECT_EQ(index_.totals().bytes, 0u);
  EXPECT_EQ(take_inventory(index_).tags, 0u);
}

TEST_F(PurgeTest, WhatMatchesNothingChangesNothing) {
  EXPECT_EQ(purge({"reg/other", "reg/team/app:3", "hub/**"}).removed, 0u);
  EXPECT_EQ(take_inventory(index_).contents, 5u);
  EXPECT_EQ(listed().size(), 3u);
}

TEST_F(PurgeTest, TellsWhetherAPatternMatchesAnything) {
  const auto matches = [&](const char* text) {
    return matches_any_image(index_, ImagePattern::parse(text).value());
  };
  index_.add_link("reg", "team/part", put_blob(10));  // no image of it is known
  for (const auto* text : {"reg/team/app", "reg/team/app:2", "**", "**:1", "reg/team/part"}) {
    EXPECT_TRUE(matches(text)) << text;
  }
  for (const auto* text : {"reg/other", "reg/team/app:3", "hub/**", "reg/*", "reg/team/part:1"}) {
    EXPECT_FALSE(matches(text)) << text;
  }
  purge({"**"});
  EXPECT_FALSE(matches("**"));
}

TEST_F(PurgeTest, WhatIsReadStaysWithoutPermission) {
  const auto reader = store_.open(own_);
  const Purged purged = purge({"reg/team/app"});
  EXPECT_EQ(purged.in_use, 1u);
  EXPECT_EQ(purged.removed, 2u);
  EXPECT_TRUE(holds(own_));
  EXPECT_FALSE(index_.has_link("reg", "team/app", own_));
}

TEST_F(PurgeTest, TheInventoryCountsEachOnce) {
  const Inventory all = take_inventory(index_);
  EXPECT_EQ(all.contents, 5u);
  EXPECT_EQ(all.manifests, 3u);
  EXPECT_EQ(all.tags, 3u);
  EXPECT_EQ(all.repositories, 2u);
  EXPECT_EQ(all.bytes, index_.totals().bytes);
}

TEST_F(PurgeTest, AManifestWithoutATagIsListedByItself) {
  const auto lonely = put_image({});
  index_.add_link("reg", "team/tool", lonely);
  const auto images = list_images(index_, ImagePattern::parse("reg/team/tool").value());
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0].tag, "");
  EXPECT_EQ(images[0].digest, lonely);
  EXPECT_EQ(images[1].tag, "1");
  EXPECT_EQ(images[1].size, 1000 + image_of({shared_}).size());
}

}  // namespace
}  // namespace fairlead::cache
