// SPDX-License-Identifier: Apache-2.0
#include "cache/scrubber.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "cache/stored_fixture.h"
#include "cache/verification.h"
#include "store/disk_blob_store.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

class ScrubberTest : public StoredFixture {
 protected:
  Scrubber scrubber(const ScrubOptions& options = {}) {
    return {index_, store_, bookkeeper_, options, clock_, log_};
  }
  // Steps, in the time that they ask for, until so many rounds are complete; how long that took.
  std::chrono::milliseconds run_rounds(Scrubber& scrubber, std::uint64_t rounds) {
    const auto began = clock_.steady();
    for (int steps = 0; scrubber.rounds() < rounds; ++steps) {
      if (steps > 100'000) {
        ADD_FAILURE() << "no end of the round";
        break;
      }
      clock_.advance(scrubber.step());
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady() - began);
  }
  oci::Digest put_wrong(const std::string& bytes, const std::string& instead) {
    const auto digest = publish_as(sha256_of(bytes), instead);
    index_.add_stored(digest, {}, bytes.size(), {}, clock_.wall());
    return digest;
  }
};

TEST_F(ScrubberTest, ARoundRemovesWhatIsAlteredOrCutAndNothingElse) {
  std::vector<oci::Digest> sound;
  for (const std::size_t size : {0, 1, 1000, 1 << 20, (1 << 20) + 1, 3 << 20}) {
    sound.push_back(put(std::string(size, 's')));
  }
  std::string large(5 << 20, 'a');
  const auto altered_in_the_middle = [&] {
    auto instead = large;
    instead[3 << 20] = 'b';
    return put_wrong(large, instead);
  }();
  const auto altered = put_wrong("some bytes", "same bytes");
  const auto cut = put_wrong("the whole content", "the who");
  const auto emptied = put_wrong("was not empty", "");
  const auto longer = put_wrong("short", "short and more");

  auto scrubbing = scrubber();
  run_rounds(scrubbing, 1);
  for (const auto& digest : sound) EXPECT_TRUE(holds(digest));
  for (const auto& digest : {altered_in_the_middle, altered, cut, emptied, longer}) {
    EXPECT_FALSE(holds(digest));
  }
  EXPECT_EQ(scrubbing.counts().contents, 11u);
  EXPECT_EQ(scrubbing.counts().damaged, 5u);
}

TEST_F(ScrubberTest, ARoundTakesThePeriod) {
  for (int i = 0; i < 30; ++i) put_blob(700'000);
  auto scrubbing = scrubber({.period = 10h, .min_pace = 1});
  const auto taken = run_rounds(scrubbing, 1);
  EXPECT_GT(taken, 9h);
  EXPECT_LT(taken, 11h);
  EXPECT_EQ(scrubbing.counts().contents, 30u);
  EXPECT_EQ(scrubbing.counts().bytes, 21'000'000u);
}

TEST_F(ScrubberTest, LittleContentIsReadAtTheLeastPaceAndThenThereIsRest) {
  for (int i = 0; i < 10; ++i) put_blob(1 << 20);
  auto scrubbing = scrubber({.period = std::chrono::days(30), .min_pace = 1 << 20});
  const auto first = run_rounds(scrubbing, 1);
  EXPECT_GT(first, 9s);
  EXPECT_LT(first, 75s);  // with the first of the pauses behind it
  const auto second = run_rounds(scrubbing, 2);
  EXPECT_GT(second, std::chrono::days(29));
  EXPECT_LT(second, std::chrono::days(31));
  EXPECT_EQ(scrubbing.counts().contents, 20u);
}

TEST_F(ScrubberTest, NoStepReadsMuchNorAsksForMoreThanAMinute) {
  put_blob(10 << 20);
  for (int i = 0; i < 100; ++i) put_blob(100);
  auto scrubbing = scrubber({.period = std::chrono::days(3), .min_pace = 1});
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
  while (scrubbing.rounds() == 0) {
    const auto pause = scrubbing.step();
    EXPECT_LE(pause, 60s);
    clock_.advance(pause);
    EXPECT_LE(scrubbing.counts().bytes - bytes, 1u << 20);
    EXPECT_LE(scrubbing.counts().contents - contents, 64u);
    bytes = scrubbing.counts().bytes;
    contents = scrubbing.counts().contents;
  }
}

TEST_F(ScrubberTest, AnEmptyStoreIsNoBusyLoop) {
  auto scrubbing = scrubber({.period = 1h});
  EXPECT_GE(run_rounds(scrubbing, 3), 2h);
}

TEST_F(ScrubberTest, WhatIsBeingCheckedMayBeEvictedAndIsNotReadToTheEnd) {
  const auto digest = put_blob(10 << 20);
  auto scrubbing = scrubber();
  scrubbing.step();
  EXPECT_EQ(bookkeeper_.remove(digest), store::Removal::Removed);
  run_rounds(scrubbing, 1);
  EXPECT_FALSE(holds(digest));
  EXPECT_EQ(scrubbing.counts().damaged, 0u);
  EXPECT_LE(scrubbing.counts().bytes, 1u << 20) << "a file that is gone was kept open";
}

TEST_F(ScrubberTest, DamageIsRemovedWhileItIsRead) {
  const auto altered = put_wrong("some bytes", "same bytes");
  const auto reader = store_.open(altered);
  auto scrubbing = scrubber();
  run_rounds(scrubbing, 1);
  EXPECT_FALSE(holds(altered));
}

TEST_F(ScrubberTest, WhatCannotBeRemovedIsCountedAndTheRoundGoesOn) {
  const auto altered = put_wrong("some bytes", "same bytes");
  for (int i = 0; i < 5; ++i) put_blob(100);
  store_.faults.remove_fails = true;
  auto scrubbing = scrubber();
  run_rounds(scrubbing, 1);
  EXPECT_EQ(scrubbing.counts().failed, 1u);
  EXPECT_EQ(scrubbing.counts().contents, 6u);
  EXPECT_TRUE(holds(altered));
}

TEST_F(ScrubberTest, AStepThatIsToldToStopDoesNothing) {
  put_blob(100);
  std::stop_source stop;
  stop.request_stop();
  auto scrubbing = scrubber();
  scrubbing.step(stop.get_token());
  EXPECT_EQ(scrubbing.counts().contents, 0u);
}

// More than one look through the index lists.
TEST_F(ScrubberTest, ARoundReadsEachOfManyOnce) {
  const fairlead::testing::TemporaryDirectory directory;
  const auto disk = store::DiskBlobStore::open_directory(directory.path()).value();
  Bookkeeper bookkeeper(index_, *disk, clock_);
  for (int i = 0; i < 9000; ++i) {
    const std::string bytes = std::to_string(i);
    const auto digest = sha256_of(bytes);
    const std::string hex(digest.hex());
    const auto parent = directory / ("blobs/sha256/" + hex.substr(0, 2));
    std::filesystem::create_directory(parent);
    std::ofstream(parent + "/" + hex) << bytes;
    index_.add_stored(digest, {}, bytes.size(), {}, clock_.wall());
  }
  Scrubber scrubbing(index_, *disk, bookkeeper, {}, clock_, log_);
  run_rounds(scrubbing, 1);
  EXPECT_EQ(scrubbing.counts().contents, 9000u);
  EXPECT_EQ(scrubbing.counts().damaged, 0u);
  run_rounds(scrubbing, 2);
  EXPECT_EQ(scrubbing.counts().contents, 18000u);
}

TEST_F(ScrubberTest, VerifyingChecksAllAtOnceAndTellsHowFarItIs) {
  for (int i = 0; i < 5; ++i) put_blob(2 << 20);
  const auto altered = put_wrong("some bytes", "same bytes");
  const auto without_row = publish("no row");
  std::vector<ScrubCounts> told;
  const auto counts = verify_all(index_, store_, remove_with(bookkeeper_, log_), log_,
                                 [&](const ScrubCounts& now) { told.push_back(now); });
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->contents, 7u);
  EXPECT_EQ(counts->damaged, 1u);
  EXPECT_EQ(counts->bytes, (5u * 2 << 20) + 16);
  EXPECT_FALSE(holds(altered));
  EXPECT_TRUE(store_.holds(without_row));
  ASSERT_GE(told.size(), 12u);
  EXPECT_EQ(told.back().bytes, counts->bytes);
  EXPECT_EQ(told.back().contents, counts->contents);
}

TEST_F(ScrubberTest, VerifyingStopsWhenItIsToldTo) {
  for (int i = 0; i < 5; ++i) put_blob(3 << 20);
  std::stop_source stop;
  const auto counts = verify_all(
      index_, store_, remove_with(bookkeeper_, log_), log_,
      [&](const ScrubCounts&) { stop.request_stop(); }, stop.get_token());
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->bytes, 1u << 20);
}

}  // namespace
}  // namespace fairlead::cache
