// SPDX-License-Identifier: Apache-2.0
#include "cache/housekeeper.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

#include "cache/cache_fixture.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

// Content is an hour old when it comes; nothing reads it all.
class HousekeeperTest : public CacheFixture {
 protected:
  HousekeeperTest() { services_.uploads = &uploads_; }
  void SetUp() override { keeper_.start(context_.get_executor()); }
  void TearDown() override {
    keeper_.stop();
    CacheFixture::TearDown();
  }

  oci::Digest put(const std::string& bytes, std::chrono::hours age) {
    const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
    const auto ingest = store_.begin(digest, bytes.size()).value();
    EXPECT_TRUE(ingest->write(as_byte_view(bytes)));
    EXPECT_TRUE(ingest->commit());
    index_.add_stored(digest, {}, bytes.size(), {}, clock_.wall() - age);
    return digest;
  }
  void wait_until_gone(const oci::Digest& digest) {
    run_until([&] { return !index_.content(digest); });
  }
  // What the pool was doing is done.
  void wait_for_pool() {
    auto nothing = [] { return true; };
    run(pool_.run(nothing));
  }

  KeptUploads uploads_{services_};
  Housekeeper keeper_{services_, {.max_age = 1h, .scrub = 0ms}};
};

TEST_F(HousekeeperTest, ContentThatIsTooOldGoes) {
  const auto old = put("old", 2h);
  const auto young = put("young", 0h);
  clock_.advance(2min);
  space_.grew();
  wait_until_gone(old);
  wait_for_pool();
  EXPECT_TRUE(index_.content(young));
}

// A client that never comes back, and no other that does.
TEST_F(HousekeeperTest, AnUploadThatIsNotGoneOnWithGoes) {
  const auto body = uploads_.keep(
      "u", std::make_shared<fairlead::testing::FakeBody>(upstream_, "some bytes", Transfer{}));
  ASSERT_TRUE(run(body->read()));
  EXPECT_EQ(store_.ingests(), 1u);
  clock_.advance(KeptUploads::kMaxPause + 1min);
  space_.grew();
  run_until([&] { return store_.ingests() == 0; });
}

TEST_F(HousekeeperTest, WhatIsBeingPushedMakesRoomBeforeWhatIsStored) {
  const auto stored = put("stored content", 0h);
  const auto body = uploads_.keep(
      "u", std::make_shared<fairlead::testing::FakeBody>(upstream_, "some bytes", Transfer{}));
  ASSERT_TRUE(run(body->read()));
  space_.is_full(10);
  run_until([&] { return store_.ingests() == 0; });
  wait_for_pool();
  EXPECT_TRUE(index_.content(stored));
  space_.is_full(10);
  wait_until_gone(stored);
}

// The load: each of a thousand small fills had the whole index looked through.
TEST_F(HousekeeperTest, AFillIsNoReasonToLookForWhatIsTooOld) {
  const auto first = put("first", 2h);
  clock_.advance(2min);
  space_.grew();
  wait_until_gone(first);
  const auto second = put("second", 2h);
  const auto oldest = put("x", 3h);
  space_.is_full(1);  // has the oldest removed: the signal was heard
  wait_until_gone(oldest);
  wait_for_pool();
  EXPECT_TRUE(index_.content(second));

  clock_.advance(2min);
  space_.grew();
  wait_until_gone(second);
}

}  // namespace
}  // namespace fairlead::cache
