// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_evictor.h"

#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "cache/bucket_fixture.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

class BucketEvictorTest : public BucketFixture {
 protected:
  static constexpr std::chrono::hours kSpared{3};

  BucketEvictor evictor(BucketLimits limits) { return {store_, limits, kSpared, clock_, log_}; }
  Result<BucketEvicted> run(BucketLimits limits) { return evictor(limits).run(); }
  static std::string bytes(int n, std::size_t size = 1000) {
    const std::string name = std::to_string(n) + ".";
    return name + std::string(size - name.size(), 'x');
  }
};

TEST_F(BucketEvictorTest, WhatWasNotUsedForItsMaxAgeGoesWithItsMark) {
  const auto old = put("old", 100h);
  const auto old_and_marked = put("old and marked", 200h);
  mark(old_and_marked, 101h);
  const auto used = put("used", 200h);
  mark(used, 50h);
  const auto written = put("written", 50h);
  mark(written, 200h);
  const auto evicted = run({.max_age = 72h});
  ASSERT_TRUE(evicted);
  EXPECT_EQ(evicted->listed, 4u);
  EXPECT_EQ(evicted->contents, 2u);
  EXPECT_EQ(evicted->bytes, 3u + 14u);
  EXPECT_FALSE(holds(old));
  EXPECT_FALSE(holds(old_and_marked));
  EXPECT_FALSE(is_marked(old_and_marked));
  EXPECT_TRUE(holds(used));
  EXPECT_TRUE(is_marked(used));
  EXPECT_TRUE(holds(written));
}

TEST_F(BucketEvictorTest, WithoutLimitsNothingGoes) {
  const auto old = put("old", 100'000h);
  EXPECT_EQ(run({})->contents, 0u);
  EXPECT_EQ(run({.max_bytes = 3})->contents, 0u);
  EXPECT_EQ(run({.max_age = std::chrono::years(1'000'000)})->contents, 0u);
  EXPECT_TRUE(holds(old));
}

TEST_F(BucketEvictorTest, TheOldestGoUntilThereAreNineTenths) {
  std::vector<oci::Digest> digests;
  for (int i = 0; i < 20; ++i) digests.push_back(put(bytes(i), (100h - 1h * i)));
  mark(digests[0], 4h);  // used since
  const auto evicted = run({.max_bytes = 10'000});
  ASSERT_TRUE(evicted);
  EXPECT_EQ(evicted->contents, 11u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(holds(digests[static_cast<std::size_t>(i)]), i == 0 || i >= 12) << i;
  }
  EXPECT_EQ(run({.max_bytes = 10'000})->contents, 0u) << "9000 bytes are enough";
}

// All of one hour: only as many as are needed.
TEST_F(BucketEvictorTest, OfTheLastHourNoMoreGoThanMust) {
  for (int i = 0; i < 20; ++i) put(bytes(i), 100h);
  EXPECT_EQ(run({.max_bytes = 10'000})->contents, 11u);
}

TEST_F(BucketEvictorTest, WhatIsTooOldCountsAsGoneWhenThereIsTooMuch) {
  for (int i = 0; i < 10; ++i) put(bytes(i), 100h);
  for (int i = 10; i < 20; ++i) put(bytes(i), 10h);
  EXPECT_EQ(run({.max_bytes = 10'000, .max_age = 50h})->contents, 10u);
}

TEST_F(BucketEvictorTest, WhatWasUsedLatelyIsSparedThoughThereIsTooMuch) {
  std::vector<oci::Digest> used;
  for (int i = 0; i < 10; ++i) used.push_back(put(bytes(i), 100h));
  for (const auto& digest : used) mark(digest, 2h);
  const auto written = put("written", 2h);
  const auto ahead = put("ahead", -5h);
  mark(ahead, -1000h);
  const auto idle = put("idle", 4h);
  EXPECT_EQ(run({.max_bytes = 10, .max_age = 1h})->contents, 1u);
  for (const auto& digest : used) EXPECT_TRUE(holds(digest));
  EXPECT_TRUE(holds(written));
  EXPECT_TRUE(holds(ahead));
  EXPECT_FALSE(holds(idle));
}

// Another process sends a client there in the meantime.
TEST_F(BucketEvictorTest, WhatIsMarkedBetweenListingAndRemovalStays) {
  const auto digest = put("old", 100h);
  at("head", 1, [&]() -> std::optional<Error> {
    mark(digest, 0h);
    return std::nullopt;
  });
  EXPECT_EQ(run({.max_age = 72h})->contents, 0u);
  EXPECT_TRUE(holds(digest));
  EXPECT_TRUE(is_marked(digest));
}

// Another process evicted it, and uploaded it again.
TEST_F(BucketEvictorTest, WhatIsWrittenAnewBetweenListingAndRemovalStays) {
  const auto digest = put("old", 100h);
  at("head", 1, [&]() -> std::optional<Error> {
    put("old");
    return std::nullopt;
  });
  EXPECT_EQ(run({.max_age = 72h})->contents, 0u);
  EXPECT_TRUE(holds(digest));
}

TEST_F(BucketEvictorTest, WhatIsOpenHereStays) {
  const auto digest = put("old", 100h);
  auto file = store_.open(digest).value();
  EXPECT_EQ(run({.max_age = 72h})->contents, 0u);
  EXPECT_TRUE(holds(digest));
  file.reset();
  EXPECT_EQ(run({.max_age = 72h})->contents, 1u);
}

TEST_F(BucketEvictorTest, MarksOfBlobsThatAreGoneGoOnceTheyAreOld) {
  const auto old = sha256_of("old");
  const auto young = sha256_of("young");
  mark(old, 4h);
  mark(young, 2h);
  ASSERT_TRUE(run({.max_bytes = 1000}));
  EXPECT_FALSE(is_marked(old));
  EXPECT_TRUE(is_marked(young));
}

TEST_F(BucketEvictorTest, AMarkWhoseBlobComesBackMeanwhileStays) {
  const auto digest = sha256_of("back");
  mark(digest, 4h);
  at("head", 1, [&]() -> std::optional<Error> {
    put("back");
    return std::nullopt;
  });
  ASSERT_TRUE(run({}));
  EXPECT_TRUE(is_marked(digest));
}

TEST_F(BucketEvictorTest, ObjectsOfOthersStay) {
  const std::vector<std::string> foreign{"root/blobs/x", "root/used/y", "root/z", "blobs/w"};
  for (const auto& key : foreign) bucket_.put(key, {.bytes = bytes(0)});
  const auto evicted = run({.max_bytes = 1, .max_age = 1s});
  EXPECT_EQ(evicted->listed, 0u);
  EXPECT_THAT(bucket_.keys(), ::testing::UnorderedElementsAreArray(foreign));
}

// Thousands of blobs with marks of their own, some of either missing.
TEST_F(BucketEvictorTest, PageByPageEveryBlobMeetsItsMark) {
  std::set<std::string> expected;
  std::uint64_t gone = 0;
  for (int i = 0; i < 4500; ++i) {
    const auto digest = sha256_of(std::to_string(i));
    const bool has_blob = i % 7 != 0;
    const bool has_mark = i % 3 != 0;
    const bool is_used = i % 2 == 0;
    if (has_blob) put_as(digest, "0123456789", 100h);
    if (has_mark) mark(digest, is_used ? 10h : 90h);
    if (has_blob && has_mark && is_used) expected.insert({key_of(digest), mark_of(digest)});
    gone += has_blob && !(has_mark && is_used) ? 1 : 0;
  }
  const auto evicted = run({.max_age = 50h});
  ASSERT_TRUE(evicted);
  EXPECT_EQ(evicted->contents, gone);
  EXPECT_THAT(bucket_.keys(), ::testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(bucket_.count("list"), 2 * (4u + 3u)) << "pages of a thousand, twice";
}

TEST_F(BucketEvictorTest, AListThatFailsRemovesNothing) {
  for (int i = 0; i < 2500; ++i) put(bytes(i, 10), 100h);
  const auto stray = sha256_of("stray");
  mark(stray, 100h);
  const auto before = bucket_.keys();
  for (int n = 1; n <= 4; ++n) {
    at("list", n, [] { return failure(); });
    EXPECT_FALSE(run({.max_bytes = 100, .max_age = 50h})) << n;
    EXPECT_EQ(bucket_.keys(), before) << n;
  }
}

TEST_F(BucketEvictorTest, WhatCannotBeRemovedWaitsForTheNextRun) {
  for (int i = 0; i < 10; ++i) put(bytes(i), 100h);
  auto evicting = evictor({.max_age = 50h});
  at("remove", 7, [] { return failure(); });  // a blob and its mark take two
  const auto failed = evicting.run();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::Unavailable);
  bucket_.on_call = {};
  EXPECT_EQ(evicting.run()->contents, 7u);
}

TEST_F(BucketEvictorTest, AStoppedRunEnds) {
  for (int i = 0; i < 10; ++i) put(bytes(i), 100h);
  std::stop_source stop;
  at("remove", 5, [&]() -> std::optional<Error> {
    stop.request_stop();
    return std::nullopt;
  });
  auto evicting = evictor({.max_age = 50h});
  EXPECT_EQ(evicting.run(stop.get_token())->contents, 3u);
  EXPECT_EQ(evicting.run(stop.get_token())->contents, 0u);
  EXPECT_EQ(evicting.run()->contents, 7u);
}

}  // namespace
}  // namespace fairlead::cache
