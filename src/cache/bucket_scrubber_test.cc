// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_scrubber.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "cache/bucket_fixture.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

class BucketScrubberTest : public BucketFixture {
 protected:
  BucketScrubber scrubber(std::chrono::seconds period = 24h) {
    return {store_, period, clock_, log_};
  }
  // Steps, in the time that they ask for, until so many rounds are complete; how long that took.
  std::chrono::milliseconds run_rounds(BucketScrubber& scrubber, std::uint64_t rounds) {
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
};

TEST_F(BucketScrubberTest, ARoundRemovesWhatIsAlteredOrCutAndNothingElse) {
  std::vector<oci::Digest> sound;
  for (const std::size_t size : {0, 1, 1000, 1 << 20}) {
    sound.push_back(put(std::string(size, 's')));
  }
  const std::string long_one = "of the longer algorithm";
  sound.push_back(
      put_as(oci::digest_of(oci::DigestAlgorithm::Sha512, as_byte_view(long_one)), long_one));
  const auto altered = put_as(sha256_of("some bytes"), "same bytes");
  const auto cut = put_as(sha256_of("the whole content"), "the who");
  const auto emptied = put_as(sha256_of("was not empty"), "");
  mark(altered, 1h);

  auto scrubbing = scrubber();
  run_rounds(scrubbing, 1);
  for (const auto& digest : sound) EXPECT_TRUE(holds(digest));
  for (const auto& digest : {altered, cut, emptied}) EXPECT_FALSE(holds(digest));
  EXPECT_FALSE(is_marked(altered));
  EXPECT_EQ(scrubbing.counts().contents, 8u);
  EXPECT_EQ(scrubbing.counts().damaged, 3u);
}

TEST_F(BucketScrubberTest, EveryRoundReadsEverythingOnceFromAnyBeginning) {
  for (int i = 0; i < 1500; ++i) put(std::to_string(i));
  std::set<std::string> beginnings;
  for (int n = 0; n < 3; ++n) {
    bucket_.on_call = {};
    std::vector<std::string> read;
    bucket_.on_call = [&](const std::string& call, const std::string& key) {
      if (call == "get") read.push_back(key);
      return std::optional<Error>();
    };
    auto scrubbing = scrubber();
    run_rounds(scrubbing, 1);
    beginnings.insert(read.front());
    EXPECT_EQ(read.size(), 1500u);
    std::ranges::sort(read);
    EXPECT_EQ(std::ranges::unique(read).size(), 0u);
    run_rounds(scrubbing, 2);
    EXPECT_EQ(scrubbing.counts().contents, 3000u);
  }
  EXPECT_GT(beginnings.size(), 1u);
}

TEST_F(BucketScrubberTest, OnePageIsListedAtATime) {
  for (int i = 0; i < 2500; ++i) put(std::to_string(i));
  auto scrubbing = scrubber();
  std::ignore = scrubbing.step();
  EXPECT_EQ(bucket_.count("list"), 1u);
}

// Evicted and uploaded again while it was read.
TEST_F(BucketScrubberTest, WhatTookADamagedOnesPlaceStays) {
  const auto digest = put_as(sha256_of("some bytes"), "same bytes");
  at("head", 1, [&]() -> std::optional<Error> {
    put_as(digest, "same bytes");
    return std::nullopt;
  });
  auto scrubbing = scrubber();
  run_rounds(scrubbing, 1);
  EXPECT_TRUE(holds(digest));
  EXPECT_EQ(scrubbing.counts().damaged, 0u);
  run_rounds(scrubbing, 2);
  EXPECT_FALSE(holds(digest));
  EXPECT_EQ(scrubbing.counts().damaged, 1u);
}

TEST_F(BucketScrubberTest, WhatCannotBeReadOrListedIsNotRemoved) {
  const auto digest = put(std::string(100'000, 'x'));
  const auto altered = put_as(sha256_of("some bytes"), std::string(50'000, 'y'));
  bucket_.cut_after = 10'000;
  auto scrubbing = scrubber();
  EXPECT_EQ(scrubbing.step(), 1min) << "a bucket that fails is not asked at once again";
  run_rounds(scrubbing, 1);
  EXPECT_TRUE(holds(digest));
  EXPECT_TRUE(holds(altered));
  bucket_.cut_after = {};

  bucket_.on_call = [](const std::string& call, const std::string&) {
    return call == "list" ? std::optional(failure()) : std::nullopt;
  };
  for (int i = 0; i < 3; ++i) clock_.advance(scrubbing.step());
  clock_.advance(24h);
  EXPECT_EQ(scrubbing.step(), 1min);
  EXPECT_EQ(scrubbing.rounds(), 1u) << "the round is not over for that";
  bucket_.on_call = {};
  run_rounds(scrubbing, 2);
  EXPECT_TRUE(holds(digest));
  EXPECT_FALSE(holds(altered));
}

TEST_F(BucketScrubberTest, WhatIsGoneSinceItWasListedIsPassedOver) {
  std::vector<oci::Digest> digests;
  for (int i = 0; i < 10; ++i) digests.push_back(put(std::to_string(i)));
  auto scrubbing = scrubber();
  clock_.advance(scrubbing.step());
  for (const auto& digest : digests) bucket_.erase(key_of(digest));
  run_rounds(scrubbing, 1);
  EXPECT_LE(scrubbing.counts().contents, 1u);
  EXPECT_EQ(scrubbing.counts().damaged, 0u);
}

TEST_F(BucketScrubberTest, ARoundTakesThePeriodOnceTheSizeIsKnown) {
  // 40 MiB: 40 s at a MiB a second.
  for (int i = 0; i < 40; ++i) put(std::to_string(i) + std::string(1 << 20, 'x'));
  auto scrubbing = scrubber(10s);
  const auto first = run_rounds(scrubbing, 1);
  EXPECT_GT(first, 39s);
  EXPECT_LT(first, 45s);
  const auto second = run_rounds(scrubbing, 2);
  EXPECT_GT(second, 9s);
  EXPECT_LT(second, 12s);
}

TEST_F(BucketScrubberTest, AfterARoundThereIsRestUntilThePeriodIsOver) {
  put("little");
  auto scrubbing = scrubber(1h);
  run_rounds(scrubbing, 1);
  EXPECT_EQ(scrubbing.step(), 1min);
  const auto second = run_rounds(scrubbing, 2);
  EXPECT_GT(second, 59min);
  EXPECT_EQ(scrubbing.counts().contents, 2u);
}

TEST_F(BucketScrubberTest, AStoppedCheckEnds) {
  put(std::string(1 << 20, 'x'));
  std::stop_source stop;
  stop.request_stop();
  auto scrubbing = scrubber();
  std::ignore = scrubbing.step(stop.get_token());
  EXPECT_EQ(scrubbing.counts().contents, 0u);
  EXPECT_EQ(scrubbing.counts().bytes, 0u);
}

}  // namespace
}  // namespace fairlead::cache
