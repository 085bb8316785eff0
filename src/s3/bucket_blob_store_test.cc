// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "async/broadcast.h"
#include "s3/nameless_file.h"
#include "s3/part_upload.h"
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

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using fairlead::testing::FakeBucket;
using fairlead::testing::FakeObjects;
using store::Removal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class BucketBlobStoreTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kPart = 1000;

  static oci::Digest digest_of(const std::string& bytes) {
    return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
  }
  static std::string key_of(const oci::Digest& digest) { return cache_key("root", digest); }

  Result<void> upload(const std::string& bytes, const std::string& media_type = {},
                      std::stop_token stop = {}) {
    auto file = NamelessFile::make(directory_.path()).value();
    EXPECT_TRUE(file.append(as_byte_view(bytes)));
    return store_.upload(digest_of(bytes), file.fd(), bytes.size(), media_type, std::move(stop));
  }
  // What the bucket answers to one call instead of doing it.
  void fail(const std::string& call, Code code) {
    bucket_.on_call = [call, code](const std::string& made,
                                   const std::string&) -> std::optional<Error> {
      if (made != call) return std::nullopt;
      return Error{code, Origin::Upstream, Retry::Yes, "the bucket fails"};
    };
  }
  [[nodiscard]] std::size_t journaled() const {
    std::error_code none;
    std::size_t entries = 0;
    for (fs::directory_iterator it(directory_ / "uploads", none), end; it != end; ++it) ++entries;
    return entries;
  }

  fairlead::testing::ManualClock clock_;
  fairlead::testing::TemporaryDirectory directory_;
  FakeBucket bucket_{clock_};
  BlockingObjects objects_{
      [this](const async::Executor&) { return std::make_unique<FakeObjects>(bucket_); }};
  const BucketStoreOptions options_{
      .root = "root", .directory = directory_.path(), .max_content = 100'000, .part_size = kPart};
  BucketBlobStore store_{objects_, options_};
  const std::string large_ = std::string(2500, 'l') + "end";  // three parts
  const oci::Digest large_digest_ = digest_of(large_);
};

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

TEST(PartSize, IsSuchThatThereAreNotTooManyParts) {
  constexpr std::uint64_t kMiB = 1 << 20;
  EXPECT_EQ(part_size_for(0, 8 * kMiB), 8 * kMiB);
  EXPECT_EQ(part_size_for(9'000 * 8 * kMiB, 8 * kMiB), 8 * kMiB);
  EXPECT_EQ(part_size_for(9'000 * 8 * kMiB + 1, 8 * kMiB), 8 * kMiB + 1);
}

TEST_F(BucketBlobStoreTest, ASmallContentIsPutAtOnceUnderItsKey) {
  ASSERT_TRUE(upload("small"));
  const auto object =
      bucket_.find("root/blobs/sha256/" + std::string(digest_of("small").hex().substr(0, 2)) + "/" +
                   std::string(digest_of("small").hex()));
  ASSERT_TRUE(object);
  EXPECT_EQ(object->bytes, "small");
  EXPECT_EQ(object->media_type, "application/octet-stream");
  EXPECT_THAT(object->writing, SizeIs(32));
  EXPECT_EQ(bucket_.count("begin_upload"), 0u);
  ASSERT_TRUE(upload(std::string(kPart, 'x')));
  EXPECT_EQ(bucket_.count("begin_upload"), 0u);
}

TEST_F(BucketBlobStoreTest, ALargeContentIsPutInParts) {
  ASSERT_TRUE(upload(large_));
  EXPECT_EQ(bucket_.find(key_of(large_digest_))->bytes, large_);
  EXPECT_THAT(bucket_.find(key_of(large_digest_))->writing, SizeIs(32));
  EXPECT_EQ(bucket_.count("put_part"), 3u);
  EXPECT_EQ(bucket_.unfinished(), 0u);
  EXPECT_EQ(journaled(), 0u);
}

TEST_F(BucketBlobStoreTest, WhatIsThereAlreadyIsNotUploadedAgain) {
  ASSERT_TRUE(upload(large_));
  ASSERT_TRUE(upload(large_));
  EXPECT_EQ(bucket_.count("begin_upload"), 1u);
  bucket_.put(key_of(large_digest_), {.bytes = "cut"});
  ASSERT_TRUE(upload(large_));
  EXPECT_EQ(bucket_.find(key_of(large_digest_))->bytes, large_);
}

TEST_F(BucketBlobStoreTest, EveryWritingHasANameOfItsOwn) {
  std::set<std::string> writings;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(upload("small"));
    writings.insert(bucket_.find(key_of(digest_of("small")))->writing);
    bucket_.erase(key_of(digest_of("small")));
  }
  EXPECT_THAT(writings, SizeIs(20));
}

TEST_F(BucketBlobStoreTest, AManifestHasItsMediaTypeAlsoWhenItCameAsABlobBefore) {
  const std::string type = "application/vnd.oci.image.manifest.v1+json";
  EXPECT_FALSE(store_.find(digest_of("{}")).value());
  ASSERT_TRUE(upload("{}"));
  EXPECT_EQ(store_.find(digest_of("{}")).value()->media_type, "");
  ASSERT_TRUE(upload("{}", type));
  ASSERT_TRUE(upload("{}"));
  EXPECT_EQ(store_.find(digest_of("{}")).value()->media_type, type);
  EXPECT_EQ(store_.find(digest_of("{}")).value()->size, 2u);
}

TEST_F(BucketBlobStoreTest, AFailedUploadInPartsIsAborted) {
  for (const char* call : {"put_part", "complete_upload"}) {
    fail(call, Code::Unavailable);
    const auto uploaded = upload(large_);
    ASSERT_FALSE(uploaded) << call;
    EXPECT_EQ(uploaded.error().code, Code::Unavailable);
    EXPECT_EQ(bucket_.unfinished(), 0u) << call;
    EXPECT_EQ(journaled(), 0u) << call;
    EXPECT_THAT(bucket_.keys(), IsEmpty());
  }
}

TEST_F(BucketBlobStoreTest, AStoppedUploadIsAborted) {
  std::stop_source stop;
  bucket_.on_call = [&](const std::string& call, const std::string&) -> std::optional<Error> {
    if (call == "put_part") stop.request_stop();
    return std::nullopt;
  };
  const auto uploaded = upload(std::string(20 * kPart, 'x'), {}, stop.get_token());
  ASSERT_FALSE(uploaded);
  EXPECT_EQ(uploaded.error().code, Code::Cancelled);
  EXPECT_LE(bucket_.count("put_part"), 2u);
  EXPECT_EQ(bucket_.unfinished(), 0u);
  EXPECT_EQ(journaled(), 0u);
  EXPECT_THAT(bucket_.keys(), IsEmpty());

  ASSERT_FALSE(upload("small", {}, stop.get_token()));
  EXPECT_THAT(bucket_.keys(), IsEmpty());
}

TEST_F(BucketBlobStoreTest, NoPartGoesBeforeTheJournalHasIt) {
  std::vector<std::size_t> entries;
  bucket_.on_call = [&](const std::string& call, const std::string&) -> std::optional<Error> {
    if (call == "put_part") entries.push_back(journaled());
    return std::nullopt;
  };
  ASSERT_TRUE(upload(large_));
  EXPECT_THAT(entries, ElementsAre(1u, 1u, 1u));
}

TEST_F(BucketBlobStoreTest, WithoutAJournalNothingIsUploadedInParts) {
  std::ofstream(directory_ / "uploads") << "in the way";
  EXPECT_FALSE(upload(large_));
  EXPECT_EQ(bucket_.count("put_part"), 0u);
  EXPECT_EQ(bucket_.unfinished(), 0u);
}

// As after kill -9, or a bucket that failed until the end.
TEST_F(BucketBlobStoreTest, InterruptedUploadsAreAbortedAtTheNextStart) {
  bucket_.on_call = [](const std::string& call, const std::string&) -> std::optional<Error> {
    if (call != "put_part" && call != "abort_upload") return std::nullopt;
    return Error{Code::Unavailable, Origin::Upstream, Retry::Yes, "the bucket fails"};
  };
  ASSERT_FALSE(upload(large_));
  ASSERT_FALSE(upload(large_ + "another"));
  EXPECT_EQ(bucket_.unfinished(), 2u);
  EXPECT_EQ(journaled(), 2u);

  BucketBlobStore next(objects_, options_);
  EXPECT_FALSE(next.abort_interrupted()) << "the bucket still fails";
  EXPECT_EQ(journaled(), 2u);
  bucket_.on_call = {};
  std::ofstream(directory_ / "uploads/README") << "not ours";
  std::ofstream(directory_ / "uploads/" + std::string(32, 'a')) << "root/blobs/cut sho";
  EXPECT_EQ(next.abort_interrupted(), 2u);
  EXPECT_EQ(bucket_.unfinished(), 0u);
  EXPECT_EQ(journaled(), 1u) << "the file of others stays";
  EXPECT_EQ(next.abort_interrupted(), 0u);
}

// What is on its way waits here until `go`.
struct Gate {
  async::Broadcast changed;
  std::atomic<int> waiting{0};
  std::atomic<int> most{0};
  std::atomic<bool> is_open{false};

  async::Task<> pass() {
    most = std::max(most.load(), ++waiting);
    changed.notify_all();
    while (!is_open) {
      const auto seen = changed.version();
      if (is_open) break;
      std::ignore = co_await changed.wait(seen, std::chrono::steady_clock::now() + 60s);
    }
    --waiting;
  }
  void open() {
    is_open = true;
    changed.notify_all();
  }
};

TEST_F(BucketBlobStoreTest, WhatIsUnderWayIsNotTakenForInterruptedOrUnfinished) {
  Gate gate;
  std::promise<void> begun;
  bucket_.on_part = [&](int number) {
    if (number == 1) begun.set_value();
    return gate.pass();
  };
  auto uploading = std::async(std::launch::async, [&] { return upload(large_).has_value(); });
  begun.get_future().wait();
  EXPECT_EQ(store_.abort_interrupted(), 0u);
  EXPECT_EQ(store_.abort_unfinished(clock_.wall() + 1h), 0u);
  EXPECT_EQ(bucket_.unfinished(), 1u);
  gate.open();
  EXPECT_TRUE(uploading.get());
  EXPECT_EQ(bucket_.find(key_of(large_digest_))->bytes, large_);
}

// The first is held back until there is a second; never is there a third.
TEST_F(BucketBlobStoreTest, TwoPartsAreOnTheirWayAtATime) {
  Gate gate;
  bucket_.on_part = [&](int number) {
    if (number == 2) gate.open();
    return gate.pass();
  };
  const std::string bytes(20 * kPart, 'x');
  ASSERT_TRUE(upload(bytes));
  EXPECT_EQ(gate.most, 2);
  EXPECT_EQ(bucket_.find(key_of(digest_of(bytes)))->bytes, bytes);
}

TEST_F(BucketBlobStoreTest, UploadsThatNobodyGoesOnWithAreAborted) {
  const auto begin = [&](const std::string& key) {
    ASSERT_TRUE(objects_.run<std::string>(
        [&](Objects& objects) { return objects.begin_upload(key, "", ""); }));
  };
  begin(key_of(large_digest_));
  begin("root/blobs/of somebody else");
  begin("another/" + key_of(large_digest_));
  clock_.advance(2h);
  begin(key_of(digest_of("young")));
  EXPECT_EQ(store_.abort_unfinished(clock_.wall() - 1h), 1u);
  EXPECT_EQ(bucket_.unfinished(), 3u);
  fail("unfinished_uploads", Code::Denied);
  EXPECT_FALSE(store_.abort_unfinished(clock_.wall()));
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
