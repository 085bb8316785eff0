// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "s3/bucket_store_fixture.h"
#include "s3/nameless_file.h"
#include "testing/blob_store_conformance.h"
#include "testing/fake_objects.h"
#include "testing/manual_clock.h"
#include "testing/temporary_directory.h"

namespace fairlead::testing {

// Parts so small that contents of the suite are uploaded in several.
struct FakeBucketStoreFactory {
  store::BlobStore& store() { return store_; }
  void lose(const oci::Digest& digest) { bucket_.erase(s3::cache_key("cache", digest)); }

  ManualClock clock_;
  TemporaryDirectory directory_;
  FakeBucket bucket_{clock_};
  s3::BlockingObjects objects_{
      [this](const async::Executor&) { return std::make_unique<FakeObjects>(bucket_); }};
  s3::BucketBlobStore store_{
      objects_, {.root = "cache", .directory = directory_.path(), .part_size = 30'000}};
};
INSTANTIATE_TYPED_TEST_SUITE_P(FakeBucket, BlobStoreConformance, FakeBucketStoreFactory);

}  // namespace fairlead::testing

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;
using store::Removal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using BucketBlobStoreTest = BucketStoreFixture;

TEST(CacheKeys, TellWhatIsWhere) {
  const std::string hex = "ab" + std::string(62, '0');
  const auto digest = oci::Digest::parse("sha256:" + hex).value();
  EXPECT_EQ(cache_key("a/b", digest), "a/b/blobs/sha256/ab/" + hex);
  EXPECT_EQ(use_key("", digest), "used/sha256/ab/" + hex);
  EXPECT_EQ(digest_of_key("a/b", "a/b/blobs/sha256/ab/" + hex), digest);
  EXPECT_EQ(digest_of_key("", "used/sha256/ab/" + hex), digest);
  for (const std::string& key :
       {"blobs/sha256/ab/" + hex, "a/b/blobs/sha256/ac/" + hex, "a/b/blobs/sha512/ab/" + hex,
        "a/b/blobs/sha256/ab/" + hex + "/", "a/b/blobs/sha256/ab/x/" + hex,
        "a/b/blobs/sha256//" + hex, "a/b/blob/sha256/ab/" + hex, "a/b/blobs/sha256/ab/" + hex + "0",
        "a/bb/blobs/sha256/ab/" + hex, std::string("a/b/blobs/"), std::string("a/b/used/sha256"),
        std::string()}) {
    EXPECT_FALSE(digest_of_key("a/b", key)) << key;
  }
}

TEST_F(BucketBlobStoreTest, NoContentIsLargerThanTheCacheMayBe) {
  const std::string huge(100'001, 'x');
  const auto code = [](const auto& result) {
    return result ? Code::Internal : result.error().code;
  };
  EXPECT_EQ(code(upload(huge)), Code::NoSpace);
  EXPECT_EQ(code(store_.begin(digest_of(huge), huge.size())), Code::NoSpace);
  const auto ingest = store_.begin(digest_of(huge), std::nullopt).value();
  EXPECT_EQ(code(ingest->write(as_byte_view(huge))), Code::NoSpace);
  EXPECT_THAT(bucket_.keys(), IsEmpty());
  bucket_.put(key_of(digest_of(huge)), {.bytes = huge});
  EXPECT_EQ(code(store_.open(digest_of(huge))), Code::NoSpace);
}

TEST_F(BucketBlobStoreTest, WhatIsRemovedTakesItsMarkWithIt) {
  ASSERT_TRUE(upload("small"));
  ASSERT_TRUE(store_.mark_used(digest_of("small")));
  EXPECT_EQ(bucket_.find(use_key("root", digest_of("small")))->bytes, "");
  EXPECT_EQ(store_.remove(digest_of("small")), Removal::Removed);
  EXPECT_THAT(bucket_.keys(), IsEmpty());
}

TEST_F(BucketBlobStoreTest, WhatWasUsedSinceIsNotIdle) {
  ASSERT_TRUE(upload("small"));
  const auto written = clock_.wall();
  EXPECT_EQ(store_.remove_idle(digest_of("small"), written - 1s), Removal::InUse);
  clock_.advance(1h);
  ASSERT_TRUE(store_.mark_used(digest_of("small")));
  EXPECT_EQ(store_.remove_idle(digest_of("small"), written), Removal::InUse);
  EXPECT_THAT(bucket_.keys(), SizeIs(2));
  EXPECT_EQ(store_.remove_idle(digest_of("small"), clock_.wall()), Removal::Removed);
  EXPECT_EQ(store_.remove_idle(digest_of("small"), clock_.wall()), Removal::Absent);
}

TEST_F(BucketBlobStoreTest, AMarkIsStrayOnlyWithoutItsBlob) {
  ASSERT_TRUE(upload("small"));
  ASSERT_TRUE(store_.mark_used(digest_of("small")));
  EXPECT_EQ(store_.remove_stray_mark(digest_of("small"), clock_.wall()), Removal::InUse);
  bucket_.erase(key_of(digest_of("small")));
  EXPECT_EQ(store_.remove_stray_mark(digest_of("small"), clock_.wall() - 1s), Removal::InUse);
  EXPECT_EQ(store_.remove_stray_mark(digest_of("small"), clock_.wall()), Removal::Removed);
  EXPECT_THAT(bucket_.keys(), IsEmpty());
}

TEST_F(BucketBlobStoreTest, WhatWasReadAndFoundDamagedIsRemovedByItsWritingOnly) {
  ASSERT_TRUE(upload("small"));
  const auto nothing = [](const ObjectHead&, ByteView) { return Result<void>{}; };
  const auto head = store_.read(digest_of("small"), nothing).value();
  ASSERT_TRUE(head);
  bucket_.erase(key_of(digest_of("small")));
  ASSERT_TRUE(upload("small"));
  EXPECT_EQ(store_.remove_damaged(digest_of("small"), *head), Removal::InUse);
  const auto again = store_.read(digest_of("small"), nothing).value();
  EXPECT_EQ(store_.remove_damaged(digest_of("small"), *again), Removal::Removed);
  EXPECT_FALSE(store_.read(digest_of("small"), nothing).value());
}

TEST_F(BucketBlobStoreTest, WhatIsNoDownloadOfTheBlobIsNotTakenForOne) {
  ASSERT_TRUE(upload("small"));
  const store::BlobFile other{UniqueFd(::dup(0)), 5};
  EXPECT_FALSE(store_.remove_damaged(digest_of("small"), other));
  EXPECT_TRUE(bucket_.find(key_of(digest_of("small"))));
}

TEST_F(BucketBlobStoreTest, ADownloadThatIsCutIsAnError) {
  ASSERT_TRUE(upload(large_));
  bucket_.cut_after = 100;
  const auto file = store_.open(large_digest_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::Unavailable);
}

TEST_F(BucketBlobStoreTest, WhatIsNotABlobsKeyIsNotVisitedOrTouched) {
  ASSERT_TRUE(upload("small"));
  const std::string hex(digest_of("other").hex());
  const std::vector<std::string> foreign{"root/README",
                                         "root/blobs/README",
                                         "root/blobs/sha256/" + hex,
                                         "rooted/blobs/x",
                                         "root/blobs/sha256/00/" + hex + ".tmp",
                                         "root/blobs/zzz/00/" + hex};
  for (const auto& key : foreign) bucket_.put(key, {.bytes = "x"});
  std::vector<oci::Digest> visited;
  ASSERT_TRUE(store_.for_each([&](const oci::Digest& digest, std::uint64_t, WallTime) {
    visited.push_back(digest);
    std::ignore = store_.remove(digest);
  }));
  EXPECT_THAT(visited, ElementsAre(digest_of("small")));
  EXPECT_THAT(bucket_.keys(), ::testing::UnorderedElementsAreArray(foreign));
}

TEST_F(BucketBlobStoreTest, AllPagesAreVisitedAlsoWhenWhatIsVisitedGoes) {
  for (int i = 0; i < 2500; ++i) {
    const auto digest = digest_of(std::to_string(i));
    bucket_.put(key_of(digest), {.bytes = "x"});
  }
  std::set<oci::Digest> visited;
  ASSERT_TRUE(store_.for_each([&](const oci::Digest& digest, std::uint64_t, WallTime) {
    visited.insert(digest);
    if (visited.size() % 2 == 0) bucket_.erase(key_of(digest));
  }));
  EXPECT_THAT(visited, SizeIs(2500));
  EXPECT_EQ(bucket_.count("list"), 3u);
}

TEST_F(BucketBlobStoreTest, AListThatFailsIsAnErrorAndNotTheEnd) {
  fail("list", Code::Unavailable);
  EXPECT_FALSE(store_.for_each([](const oci::Digest&, std::uint64_t, WallTime) {}));
  const auto in_place = store_.check_in_place();
  ASSERT_FALSE(in_place);
  EXPECT_EQ(in_place.error().code, Code::Io);
  EXPECT_THAT(in_place.error().context, HasSubstr("the bucket fails"));
  bucket_.on_call = {};
  EXPECT_TRUE(store_.check_in_place());
}

TEST_F(BucketBlobStoreTest, ADownloadTakesNoSpaceOnceNobodyHasIt) {
  HeldFiles held;
  {
    const auto file = NamelessFile::make(directory_.path()).value();
    ASSERT_TRUE(held.add(large_digest_, file.fd(), HeldFiles::Purpose::Use, std::nullopt));
    EXPECT_TRUE(held.is_used(large_digest_));
    EXPECT_FALSE(held.is_used(digest_of("other")));
    EXPECT_EQ(held.size(), 1u);
  }
  EXPECT_FALSE(held.is_used(large_digest_));
  EXPECT_EQ(held.size(), 0u);
}

}  // namespace
}  // namespace fairlead::s3
