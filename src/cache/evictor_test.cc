// SPDX-License-Identifier: Apache-2.0
#include "cache/evictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "cache/eviction_plan.h"
#include "cache/stored_fixture.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

class EvictorTest : public StoredFixture {
 protected:
  Evictor evictor(EvictionLimits limits) {
    return {index_, bookkeeper_, std::move(limits), clock_, log_};
  }
  Evicted run(EvictionLimits limits) {
    const auto evicted = evictor(std::move(limits)).run();
    EXPECT_TRUE(evicted) << evicted.error().context;
    return evicted.value_or(Evicted{});
  }
  // The first is the oldest.
  std::vector<oci::Digest> put_blobs(std::size_t count, std::size_t size) {
    std::vector<oci::Digest> blobs;
    for (std::size_t i = 0; i < count; ++i) {
      clock_.advance(10s);
      blobs.push_back(put_blob(size));
    }
    return blobs;
  }
  std::vector<oci::Digest> held(const std::vector<oci::Digest>& of) {
    std::vector<oci::Digest> found;
    std::ranges::copy_if(of, std::back_inserter(found), [&](const auto& d) { return holds(d); });
    return found;
  }
  static ImagePattern keep(std::string_view text) { return ImagePattern::parse(text).value(); }
  void tag(std::string_view repository, std::string_view name, const oci::Digest& digest) {
    index_.put_tag({"reg", repository, name, ""}, {.digest = digest});
  }
};

using Digests = std::vector<oci::Digest>;

TEST_F(EvictorTest, NothingGoesWithinTheLimits) {
  const auto blobs = put_blobs(10, 100);
  for (const auto& limits :
       {EvictionLimits{}, EvictionLimits{.max_bytes = 1000}, EvictionLimits{.max_age = 1h},
        EvictionLimits{.max_age = std::chrono::seconds::max()}}) {
    EXPECT_EQ(run(limits).contents, 0u);
  }
  EXPECT_EQ(held(blobs), blobs);
}

TEST_F(EvictorTest, TheOldestGoUntilNinetyPercentAreLeft) {
  const auto blobs = put_blobs(20, 100);
  index_.touch(blobs[0], clock_.wall() + 10s);
  const auto evicted = run({.max_bytes = 1990});
  EXPECT_EQ(evicted.contents, 3u);  // 1700 <= 1791
  EXPECT_EQ(evicted.bytes, 300u);
  EXPECT_EQ(index_.totals().bytes, 1700u);
  auto expected = blobs;
  expected.erase(expected.begin() + 1, expected.begin() + 4);
  EXPECT_EQ(held(blobs), expected);
}

TEST_F(EvictorTest, WhatWasNotUsedForMaxAgeGoes) {
  const auto old = put_blobs(3, 10);
  clock_.advance(2h);
  const auto recent = put_blobs(2, 10);
  index_.touch(old[1], clock_.wall());
  EXPECT_EQ(run({.max_age = 1h}).contents, 2u);
  EXPECT_EQ(held(old), Digests{old[1]});
  EXPECT_EQ(held(recent), recent);
}

TEST_F(EvictorTest, AnImageInUseStaysWholeAndSharedLayersStayWithTheLast) {
  const auto shared = put_blobs(1, 100)[0];
  const auto own = put_blobs(1, 100)[0];
  const auto old_image = put_image({shared, own});
  clock_.advance(1min);
  const auto used_image = put_image({shared});
  put_blobs(5, 100);
  clock_.advance(1min);
  index_.touch(used_image, clock_.wall());  // the layers themselves are not asked for again
  run({.max_bytes = index_.totals().bytes - 1});
  EXPECT_FALSE(holds(old_image));
  EXPECT_TRUE(holds(used_image));
  EXPECT_TRUE(holds(shared));
}

TEST_F(EvictorTest, AmongEqualTimesAnIndexGoesBeforeItsManifestsBeforeTheirBlobs) {
  Digests layers;
  for (int i = 0; i < 5; ++i) layers.push_back(put_blob(1000));
  const auto image = put_image(layers);
  const auto index = put("an index", kIndexType, {image});
  const auto plan = plan_eviction(
      index_, {index_.totals().bytes, clock_.wall(), 100, [](const auto&) { return false; }});
  ASSERT_EQ(plan.size(), 7u);
  EXPECT_EQ(plan[0].digest, index);
  EXPECT_EQ(plan[1].digest, image);
}

TEST_F(EvictorTest, APlanIsNoLargerThanItMayBeAlsoWhenAllAreOfOneTime) {
  Digests blobs;
  for (int i = 0; i < 50; ++i) blobs.push_back(put_blob(10));
  const auto none = [](const auto&) { return false; };
  EXPECT_EQ(plan_eviction(index_, {~0ull, clock_.wall(), 7, none}).size(), 7u);
  EXPECT_EQ(plan_eviction(index_, {35, clock_.wall(), 100, none}).size(), 4u);
  EXPECT_EQ(plan_eviction(index_, {~0ull, clock_.wall() - 1s, 100, none}).size(), 0u);
  const auto spares = [&](const oci::Digest& digest) { return digest == blobs[0]; };
  EXPECT_EQ(plan_eviction(index_, {~0ull, clock_.wall(), 100, spares}).size(), 49u);
}

TEST_F(EvictorTest, WhatIsReadIsPassedOverAndTheNextTaken) {
  const auto blobs = put_blobs(10, 100);
  {
    const auto reader = store_.open(blobs[0]);
    const auto evicted = run({.max_bytes = 950});
    EXPECT_EQ(evicted.contents, 2u);
    EXPECT_EQ(evicted.in_use, 1u);
    EXPECT_EQ(held({blobs[0], blobs[1], blobs[2]}), Digests{blobs[0]});
  }
  run({.max_bytes = 799});
  EXPECT_FALSE(holds(blobs[0]));
}

TEST_F(EvictorTest, WhenAllIsInUseTheStoreStaysOverItsLimit) {
  const auto blobs = put_blobs(3, 100);
  std::vector<store::BlobFile> readers;
  for (const auto& blob : blobs) readers.push_back(*store_.open(blob).value());
  const auto evicted = run({.max_bytes = 100, .max_age = 1s});
  EXPECT_EQ(evicted.contents, 0u);
  EXPECT_EQ(held(blobs), blobs);
}

TEST_F(EvictorTest, KeptRepositoriesStay) {
  const auto blobs = put_blobs(4, 100);
  index_.add_link("reg", "team/app", blobs[0]);
  index_.add_link("reg", "other", blobs[1]);
  index_.add_link("reg", "other", blobs[2]);
  index_.add_link("reg", "team/app", blobs[2]);
  clock_.advance(2h);
  run({.max_bytes = 100, .max_age = 1h, .keep = {keep("reg/team/**")}});
  EXPECT_EQ(held(blobs), (Digests{blobs[0], blobs[2]}));
}

TEST_F(EvictorTest, WhatKeptTagsMeanStaysWholeAndNothingElseOfTheRepository) {
  const auto layers = put_blobs(3, 100);
  const auto kept = put_image({layers[0], layers[1]});
  const auto index = put("an index", kIndexType, {kept, sha256_of("a platform nobody pulled")});
  const auto outdated = put_image({layers[1], layers[2]});
  for (const auto& digest : {kept, index, outdated}) index_.add_link("reg", "app", digest);
  tag("app", "3.20", index);
  tag("app", "edge", outdated);
  clock_.advance(2h);
  run({.max_age = 1h, .keep = {keep("reg/app:3.*"), keep("other/**")}});
  EXPECT_EQ(held({layers[0], layers[1], kept, index}),
            (Digests{layers[0], layers[1], kept, index}));
  EXPECT_EQ(held({layers[2], outdated}), Digests{});
}

TEST_F(EvictorTest, RoomIsMadeAlsoWithinTheLimits) {
  const auto blobs = put_blobs(10, 100);
  auto evicting = evictor({.keep = {keep("reg/app")}});
  index_.add_link("reg", "app", blobs[0]);
  const auto evicted = evicting.make_room(250);
  ASSERT_TRUE(evicted);
  EXPECT_EQ(evicted->bytes, 300u);
  EXPECT_EQ(held(blobs),
            (Digests{blobs[0], blobs[4], blobs[5], blobs[6], blobs[7], blobs[8], blobs[9]}));
  EXPECT_EQ(evicting.make_room(~0ull)->contents, 6u);
  EXPECT_EQ(evicting.make_room(1)->contents, 0u);
  EXPECT_TRUE(holds(blobs[0]));
}

TEST_F(EvictorTest, WhatCannotBeRemovedIsAnErrorAndStays) {
  const auto blobs = put_blobs(10, 100);
  store_.faults.remove_fails = true;
  EXPECT_FALSE(evictor({.max_bytes = 500}).run());
  EXPECT_EQ(held(blobs), blobs);
  store_.faults.remove_fails = false;
  EXPECT_EQ(run({.max_bytes = 500}).contents, 6u);
}

TEST_F(EvictorTest, RowsWithoutFilesGoAndAreNotCountedAsFreed) {
  const auto blobs = put_blobs(10, 100);
  store_.lose(blobs[0]);
  EXPECT_EQ(run({.max_bytes = 950}).bytes, 100u);
  EXPECT_EQ(index_.totals().bytes, 800u);
}

TEST_F(EvictorTest, ARunEndsWhenItIsToldTo) {
  const auto blobs = put_blobs(10, 100);
  std::stop_source stop;
  int removed = 0;
  store_.faults.on_removed = [&] {
    if (++removed == 3) stop.request_stop();
  };
  EXPECT_TRUE(evictor({.max_bytes = 10}).run(stop.get_token()));
  EXPECT_EQ(held(blobs).size(), 7u);
}

}  // namespace
}  // namespace fairlead::cache
