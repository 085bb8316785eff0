// SPDX-License-Identifier: Apache-2.0
// What BucketBlobStore uploads, and what is left of it when that fails.
#include "s3/part_upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "async/broadcast.h"
#include "s3/bucket_store_fixture.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using PartUploadTest = BucketStoreFixture;

TEST(PartSize, IsSuchThatThereAreNotTooManyParts) {
  constexpr std::uint64_t kMiB = 1 << 20;
  EXPECT_EQ(part_size_for(0, 8 * kMiB), 8 * kMiB);
  EXPECT_EQ(part_size_for(9'000 * 8 * kMiB, 8 * kMiB), 8 * kMiB);
  EXPECT_EQ(part_size_for(9'000 * 8 * kMiB + 1, 8 * kMiB), 8 * kMiB + 1);
}

TEST_F(PartUploadTest, ASmallContentIsPutAtOnceUnderItsKey) {
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

TEST_F(PartUploadTest, ALargeContentIsPutInParts) {
  ASSERT_TRUE(upload(large_));
  EXPECT_EQ(bucket_.find(key_of(large_digest_))->bytes, large_);
  EXPECT_THAT(bucket_.find(key_of(large_digest_))->writing, SizeIs(32));
  EXPECT_EQ(bucket_.count("put_part"), 3u);
  EXPECT_EQ(bucket_.unfinished(), 0u);
  EXPECT_EQ(journaled(), 0u);
}

TEST_F(PartUploadTest, WhatIsThereAlreadyIsNotUploadedAgain) {
  ASSERT_TRUE(upload(large_));
  ASSERT_TRUE(upload(large_));
  EXPECT_EQ(bucket_.count("begin_upload"), 1u);
  bucket_.put(key_of(large_digest_), {.bytes = "cut"});
  ASSERT_TRUE(upload(large_));
  EXPECT_EQ(bucket_.find(key_of(large_digest_))->bytes, large_);
}

TEST_F(PartUploadTest, EveryWritingHasANameOfItsOwn) {
  std::set<std::string> writings;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(upload("small"));
    writings.insert(bucket_.find(key_of(digest_of("small")))->writing);
    bucket_.erase(key_of(digest_of("small")));
  }
  EXPECT_THAT(writings, SizeIs(20));
}

TEST_F(PartUploadTest, AManifestHasItsMediaTypeAlsoWhenItCameAsABlobBefore) {
  const std::string type = "application/vnd.oci.image.manifest.v1+json";
  EXPECT_FALSE(store_.find(digest_of("{}")).value());
  ASSERT_TRUE(upload("{}"));
  EXPECT_EQ(store_.find(digest_of("{}")).value()->media_type, "");
  ASSERT_TRUE(upload("{}", type));
  ASSERT_TRUE(upload("{}"));
  EXPECT_EQ(store_.find(digest_of("{}")).value()->media_type, type);
  EXPECT_EQ(store_.find(digest_of("{}")).value()->size, 2u);
}

TEST_F(PartUploadTest, AFailedUploadInPartsIsAborted) {
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

// The attack of time: a file rots on the disk, and its bytes would be shared by all.
TEST_F(PartUploadTest, AFileThatIsNotWhatItsDigestSaysIsNotUploaded) {
  for (std::string bytes : {std::string("small"), large_}) {
    const auto digest = digest_of(bytes);
    bytes[bytes.size() / 2] ^= 1;
    auto file = NamelessFile::make(directory_.path()).value();
    ASSERT_TRUE(file.append(as_byte_view(bytes)));
    const auto uploaded = store_.upload(digest, file.fd(), bytes.size(), {});
    ASSERT_FALSE(uploaded);
    EXPECT_EQ(uploaded.error().code, Code::Corrupt);
    EXPECT_TRUE(uploaded.error().context.contains("the file is not what its digest says"));
    EXPECT_THAT(bucket_.keys(), IsEmpty());
    EXPECT_EQ(bucket_.unfinished(), 0u);
    EXPECT_EQ(journaled(), 0u);
  }
}

TEST_F(PartUploadTest, NonsenseOfTheBucketIsNotTakenForARottenFile) {
  for (const char* call :
       {"head", "put", "begin_upload", "put_part", "complete_upload", "abort_upload"}) {
    fail(call, Code::Corrupt);
    for (const std::string& bytes : {std::string("small"), large_}) {
      const auto uploaded = upload(bytes);
      if (!uploaded) EXPECT_EQ(uploaded.error().code, Code::Unavailable) << call;
    }
  }
  fail("put_part", Code::Corrupt);
  EXPECT_FALSE(upload(large_ + "more"));
  fail("put", Code::Corrupt);
  EXPECT_FALSE(upload("other"));
}

TEST_F(PartUploadTest, AStoppedUploadIsAborted) {
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

TEST_F(PartUploadTest, NoPartGoesBeforeTheJournalHasIt) {
  std::vector<std::size_t> entries;
  bucket_.on_call = [&](const std::string& call, const std::string&) -> std::optional<Error> {
    if (call == "put_part") entries.push_back(journaled());
    return std::nullopt;
  };
  ASSERT_TRUE(upload(large_));
  EXPECT_THAT(entries, ElementsAre(1u, 1u, 1u));
}

TEST_F(PartUploadTest, WithoutAJournalNothingIsUploadedInParts) {
  std::ofstream(directory_ / "uploads") << "in the way";
  EXPECT_FALSE(upload(large_));
  EXPECT_EQ(bucket_.count("put_part"), 0u);
  EXPECT_EQ(bucket_.unfinished(), 0u);
}

// As after kill -9, or a bucket that failed until the end.
TEST_F(PartUploadTest, InterruptedUploadsAreAbortedAtTheNextStart) {
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

TEST_F(PartUploadTest, WhatIsUnderWayIsNotTakenForInterruptedOrUnfinished) {
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
TEST_F(PartUploadTest, TwoPartsAreOnTheirWayAtATime) {
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

TEST_F(PartUploadTest, UploadsThatNobodyGoesOnWithAreAborted) {
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

}  // namespace
}  // namespace fairlead::s3
