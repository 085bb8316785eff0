// SPDX-License-Identifier: Apache-2.0
// One transfer for many readers, and what they get when it, the disk or the bytes go wrong.
#include "cache/filler.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"
#include "cache/stored_fixture.h"

namespace fairlead::cache {
namespace {

using fairlead::testing::FakeContent;

class FillerTest : public CacheFixture {
 protected:
  void put(bool tells_size) {
    upstream_.put("blob", kTeam, digest_.str(), {.bytes = bytes_, .tells_size = tells_size});
  }

  const std::string bytes_ = bytes_of_size(kSize);
  const oci::Digest digest_ = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes_));
};

// Both with and without a size told by the upstream.
class FillerSizeTest : public FillerTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override { put(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Size, FillerSizeTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Told" : "NotTold"; });

TEST_P(FillerSizeTest, BytesAreReadableAsTheyComeAndAllAtTheEnd) {
  upstream_.script({.hold_after = 100'000});
  auto content = fetch(source(kTeam), digest_);
  ASSERT_TRUE(content);
  wait_until_held();
  const auto reader = content->read({});
  const auto piece = run(reader->next());
  ASSERT_TRUE(piece);
  EXPECT_GT(piece->length, 0u) << "nothing is readable before the transfer ends";
  upstream_.release();
  const auto all = run(receive(*content));
  EXPECT_FALSE(all.error);
  EXPECT_EQ(all.bytes, bytes_);
  wait_for_fills();
  EXPECT_TRUE(store_.holds(digest_));
}

// The attack: a registry that takes any type is asked first, for an image that another one has.
TEST_F(FillerTest, AManifestIsKeptUnderTheTypeThatItTellsItself) {
  const std::string text = image_of({digest_});
  const auto digest = upstream_.put_manifest(kTeam, "1", text, kIndexType);
  upstream_.put_manifest(kOther, "1", text, kImageType);
  EXPECT_EQ(pull(manifests(kTeam), digest).bytes, text);
  wait_for_fills();
  EXPECT_EQ(index_.content(digest)->media_type, kImageType);
  EXPECT_EQ(fetch(manifests(kOther), digest)->media_type(), kImageType);
}

TEST_P(FillerSizeTest, NobodyCanCompleteWrongBytes) {
  std::string wrong = bytes_;
  wrong.back() ^= 1;
  upstream_.script({.sends = wrong});
  const auto received = pull(source(kTeam), digest_);
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::Corrupt);
  EXPECT_LT(received.bytes.size(), wrong.size());
  wait_for_fills();
  EXPECT_FALSE(store_.holds(digest_));
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest_));

  EXPECT_EQ(pull(source(kTeam), digest_).bytes, bytes_) << "a later fetch begins anew";
}

TEST_P(FillerSizeTest, TooFewBytesAreNeverComplete) {
  // An upstream without a size may end where it likes; the digest tells. With one, the transfer
  // is taken up again, and the upstream insists.
  upstream_.script({.end_after = 1000});
  upstream_.script({.error = Error{Code::NotFound, Origin::Upstream, Retry::No, "gone"}});
  const auto received = pull(source(kTeam), digest_);
  EXPECT_TRUE(received.error);
  EXPECT_LT(received.bytes.size(), bytes_.size());
  wait_for_fills();
  EXPECT_FALSE(store_.holds(digest_));
}

TEST_P(FillerSizeTest, TooManyBytesAreNeverComplete) {
  upstream_.set_piece_size(256 * 1024);
  upstream_.script({.sends = bytes_ + "and more"});
  const auto received = pull(source(kTeam), digest_);
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::Corrupt);
  EXPECT_LT(received.bytes.size(), bytes_.size() + 8);
  wait_for_fills();
  EXPECT_FALSE(store_.holds(digest_));
}

TEST_P(FillerSizeTest, AFullDiskAtTheStartOnlyMeansThatNothingIsKept) {
  store_.faults.begin_finds_no_space = true;
  auto content = fetch(source(kTeam), digest_);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->outcome(), Outcome::Stream);
  const auto received = run(receive(*content));
  EXPECT_FALSE(received.error);
  EXPECT_EQ(received.bytes, bytes_);
  EXPECT_FALSE(store_.holds(digest_));
}

TEST_P(FillerSizeTest, RoomIsMadeOnlyForWhatTheCacheMayHold) {
  store_.faults.space = 150'000;
  EXPECT_EQ(pull(source(kTeam), digest_).bytes, bytes_);
  EXPECT_GT(space_.take_wanted(), 0u);
  space_.limit().set(150'000);
  EXPECT_EQ(pull(source(kTeam), digest_).bytes, bytes_);
  EXPECT_EQ(space_.take_wanted(), 0u);
  EXPECT_FALSE(space_.limit().is_news(digest_)) << "nobody was told";
}

TEST_P(FillerSizeTest, AFullDiskHalfWayOnlyMeansThatNothingIsKept) {
  store_.faults.space = 150'000;
  upstream_.script({.hold_after = 64 * 1024});
  auto first = fetch(source(kTeam), digest_);
  auto second = fetch(source(kTeam), digest_);
  ASSERT_TRUE(first && second);
  upstream_.release();
  for (auto* content : {&*first, &*second}) {
    const auto received = run(receive(*content));
    EXPECT_FALSE(received.error);
    EXPECT_EQ(received.bytes, bytes_);
  }
  EXPECT_FALSE(store_.holds(digest_));
}

TEST_P(FillerSizeTest, WhatIsStreamedPastAFullDiskIsVerifiedToo) {
  std::string wrong = bytes_;
  wrong.back() ^= 1;
  for (const std::uint64_t space : {std::uint64_t{0}, std::uint64_t{150'000}}) {
    store_.faults.space = space;
    upstream_.script({});                // the fill's
    upstream_.script({.sends = wrong});  // the reader's own
    const auto received = pull(source(kTeam), digest_);
    ASSERT_TRUE(received.error);
    EXPECT_EQ(received.error->code, Code::Corrupt);
    EXPECT_LT(received.bytes.size(), bytes_.size());
  }
}

TEST_P(FillerSizeTest, AFailedCommitCostsOnlyTheNextPullATransfer) {
  store_.faults.commit_fails = true;
  EXPECT_EQ(pull(source(kTeam), digest_).bytes, bytes_);
  wait_for_fills();
  EXPECT_FALSE(store_.holds(digest_));
  EXPECT_EQ(pull(source(kTeam), digest_).bytes, bytes_);
  EXPECT_EQ(upstream_.count("GET blob"), 2u);
}

TEST_F(FillerTest, ABrokenTransferThatCannotBeResumedFailsItsReadersAndALaterFetchGoesWell) {
  put(true);
  upstream_.script({.cut_after = 1000, .hold_after = 1000});
  upstream_.script({.error = Error{Code::Denied, Origin::Upstream, Retry::No, "denied"}});
  auto first = fetch(source(kTeam), digest_);
  ASSERT_TRUE(first);
  wait_until_held();
  auto second = fetch(source(kTeam), digest_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->outcome(), Outcome::Join);
  upstream_.release();
  for (auto* content : {&*first, &*second}) {
    const auto received = run(receive(*content));
    ASSERT_TRUE(received.error);
    EXPECT_EQ(received.error->code, Code::Denied);
    EXPECT_EQ(received.bytes, bytes_.substr(0, 1000));
  }
  EXPECT_EQ(pull(source(kTeam), digest_).bytes, bytes_);
}

TEST_F(FillerTest, TheFirstReaderLeavingDoesNotEndTheTransfer) {
  put(true);
  upstream_.script({.hold_after = 100'000});
  {
    auto first = fetch(source(kTeam), digest_);
    ASSERT_TRUE(first);
    const auto reader = first->read({});
    ASSERT_TRUE(run(reader->next()));
  }
  upstream_.release();
  wait_for_fills();
  EXPECT_TRUE(store_.holds(digest_));
  EXPECT_EQ(fetch(source(kTeam), digest_)->outcome(), Outcome::Hit);
  EXPECT_EQ(upstream_.calls().size(), 1u);
}

TEST_F(FillerTest, EmptyContentIsVerifiedBeforeItIsGiven) {
  const auto empty = upstream_.put_blob(kTeam, "");
  const auto received = pull(source(kTeam), empty);
  EXPECT_FALSE(received.error);
  EXPECT_TRUE(received.bytes.empty());
  wait_for_fills();
  EXPECT_TRUE(store_.holds(empty));

  // Another content, of which the upstream says that it is empty.
  upstream_.put("blob", kTeam, digest_.str(), {.bytes = ""});
  const auto content = fetch(source(kTeam), digest_);
  ASSERT_FALSE(content) << "a wrong content could be completed";
  EXPECT_EQ(content.error().code, Code::Corrupt);
}

TEST_F(FillerTest, ShutdownAbandonsTheFillAndItsReaders) {
  put(true);
  upstream_.script({.hold_after = 100'000});
  auto content = fetch(source(kTeam), digest_);
  ASSERT_TRUE(content);
  wait_until_held();
  std::optional<Received> received;
  begin(receive(*content), received);
  tasks_.close();
  upstream_.close();
  EXPECT_TRUE(run(tasks_.join(std::chrono::steady_clock::now() + kPatience)));
  run_until([&] { return received.has_value(); });
  ASSERT_TRUE(received->error);
  EXPECT_EQ(received->error->code, Code::Cancelled);

  const auto late = fetch(source(kTeam), digest_);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::Cancelled);
}

}  // namespace
}  // namespace fairlead::cache
