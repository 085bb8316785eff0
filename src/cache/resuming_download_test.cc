// SPDX-License-Identifier: Apache-2.0
// Transfers that break and are taken up again.
#include "cache/resuming_download.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"

namespace fairlead::cache {
namespace {

const Error kCut{Code::Unavailable, Origin::Upstream, Retry::Yes, "no connection"};

async::Task<Received> download(Source source, oci::Digest digest, std::uint64_t offset,
                               std::optional<std::uint64_t> length) {
  auto opened =
      co_await ResumingDownload::open(std::move(source), std::move(digest), offset, length);
  if (!opened) co_return Received{{}, opened.error()};
  Received received;
  for (;;) {
    const auto piece = co_await (*opened)->read();
    if (!piece) {
      received.error = piece.error();
      co_return received;
    }
    if (piece->empty()) co_return received;
    received.bytes += as_text(*piece);
  }
}

class ResumingDownloadTest : public CacheFixture {
 protected:
  Received get(std::uint64_t offset = 0, std::optional<std::uint64_t> length = {}) {
    return run(download(source(kTeam), digest_, offset, length));
  }

  const std::string bytes_ = bytes_of_size(kSize);
  const oci::Digest digest_ = upstream_.put_blob(kTeam, bytes_);
};

TEST_F(ResumingDownloadTest, ResumesAtTheExactByteWhereItBroke) {
  upstream_.script({.cut_after = 123'457});
  const auto received = get();
  EXPECT_FALSE(received.error);
  EXPECT_EQ(received.bytes, bytes_);
  const auto calls = upstream_.calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].offset, 123'457u);
}

TEST_F(ResumingDownloadTest, AnEndBeforeTheToldSizeIsABreakToo) {
  upstream_.script({.end_after = 1000});
  EXPECT_EQ(get().bytes, bytes_);
  EXPECT_EQ(upstream_.calls().at(1).offset, 1000u);
}

TEST_F(ResumingDownloadTest, ResumesWhereTheUpstreamIgnoresRanges) {
  upstream_.script({.cut_after = 123'457});
  upstream_.script({.answers_from = 0});
  EXPECT_EQ(get().bytes, bytes_);
}

TEST_F(ResumingDownloadTest, ResumesWhereTheUpstreamAnswersFromAnEarlierByte) {
  upstream_.script({.cut_after = 123'457});
  upstream_.script({.answers_from = 100'000});
  EXPECT_EQ(get().bytes, bytes_);
}

TEST_F(ResumingDownloadTest, AnAnswerFromALaterByteIsRefused) {
  upstream_.script({.cut_after = 1000});
  upstream_.script({.answers_from = 1001});
  const auto received = get();
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::Corrupt);
  EXPECT_EQ(received.bytes, bytes_.substr(0, 1000));
}

TEST_F(ResumingDownloadTest, AnotherSizeAfterABreakIsRefused) {
  upstream_.script({.cut_after = 1000, .hold_after = 1000});
  std::optional<Received> received;
  begin(download(source(kTeam), digest_, 0, std::nullopt), received);
  wait_until_held();
  upstream_.put("blob", kTeam, digest_.str(), {.bytes = bytes_ + "x"});
  upstream_.release();
  run_until([&] { return received.has_value(); });
  ASSERT_TRUE(received->error);
  EXPECT_EQ(received->error->code, Code::Corrupt);
}

TEST_F(ResumingDownloadTest, MoreBytesThanToldAreRefused) {
  upstream_.set_piece_size(1 << 20);
  upstream_.script({.sends = bytes_ + "x"});
  const auto received = get();
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::Corrupt);
}

TEST_F(ResumingDownloadTest, OnlyThePartThatWasAskedForIsGiven) {
  EXPECT_EQ(get(5000, 70'000).bytes, bytes_.substr(5000, 70'000));
  EXPECT_EQ(upstream_.calls().at(0).length, 70'000u);

  upstream_.script({.answers_from = 0});  // and to the end of what was asked for only
  upstream_.put("blob", kTeam, digest_.str(), {.bytes = bytes_});
  EXPECT_EQ(get(299'000).bytes, bytes_.substr(299'000));
}

TEST_F(ResumingDownloadTest, AnErrorThatTimeDoesNotHealEndsItAtOnce) {
  upstream_.script({.cut_after = 1000});
  upstream_.script({.error = Error{Code::NotFound, Origin::Upstream, Retry::No, "gone"}});
  const auto received = get();
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::NotFound);
  EXPECT_EQ(upstream_.calls().size(), 2u);
}

TEST_F(ResumingDownloadTest, GivesUpAfterFailuresInARowWithTheLastError) {
  upstream_.script({.cut_after = 1000});
  for (int i = 0; i < 20; ++i) upstream_.script({.error = kCut});
  const auto received = get();
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::Unavailable);
  EXPECT_EQ(received.bytes, bytes_.substr(0, 1000));
  EXPECT_LE(upstream_.calls().size(), 6u);
}

TEST_F(ResumingDownloadTest, AByteOfProgressIsNoFailureInARow) {
  for (int i = 0; i < 5; ++i) upstream_.script({.cut_after = 10});
  EXPECT_EQ(get().bytes, bytes_);
  EXPECT_EQ(upstream_.calls().size(), 6u);
}

}  // namespace
}  // namespace fairlead::cache
