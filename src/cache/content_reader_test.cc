// SPDX-License-Identifier: Apache-2.0
// Ranges: of stored files, of memory, of fills that still grow.
#include "cache/content_reader.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"

namespace fairlead::cache {
namespace {

class ContentReaderTest : public CacheFixture {
 protected:
  static constexpr std::size_t kHeld = 100'000;

  // A fill of which kHeld bytes have come.
  Content half_filled(bool tells_size = true) {
    upstream_.put("blob", kTeam, digest_.str(), {.bytes = bytes_, .tells_size = tells_size});
    upstream_.script({.hold_after = kHeld});
    auto content = fetch(source(kTeam), digest_);
    EXPECT_TRUE(content);
    wait_until_held();
    return *std::move(content);
  }

  const std::string bytes_ = bytes_of_size(kSize);
  const oci::Digest digest_ = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes_));
};

TEST_F(ContentReaderTest, ARangeOfWhatHasComeDoesNotWait) {
  const Content content = half_filled();
  const auto received = run(receive(content, oci::ByteRange{1000, 50'000}));
  EXPECT_FALSE(received.error);
  EXPECT_EQ(received.bytes, bytes_.substr(1000, 50'000));
}

TEST_F(ContentReaderTest, ARangeOfWhatHasNotComeWaitsForIt) {
  const Content content = half_filled();
  std::optional<Received> received;
  begin(receive(content, oci::ByteRange{90'000, 50'000}), received);
  run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(received);
  upstream_.release();
  run_until([&] { return received.has_value(); });
  EXPECT_EQ(received->bytes, bytes_.substr(90'000, 50'000));
  EXPECT_EQ(upstream_.count("GET blob"), 1u) << "a range began a transfer of its own";
}

TEST_F(ContentReaderTest, TheLastByteAloneIsGivenOnceVerified) {
  const Content content = half_filled();
  std::optional<Received> received;
  begin(receive(content, oci::ByteRange{kSize - 1, 1}), received);
  upstream_.release();
  run_until([&] { return received.has_value(); });
  EXPECT_FALSE(received->error);
  EXPECT_EQ(received->bytes, bytes_.substr(kSize - 1));
}

TEST_F(ContentReaderTest, RangesGoOnPastADiskThatFillsUp) {
  const Content content = half_filled();
  store_.faults.space = kHeld;
  upstream_.release();
  for (const oci::ByteRange range :
       {oci::ByteRange{0, 10}, oci::ByteRange{90'000, 50'000}, oci::ByteRange{200'000, 50'000},
        oci::ByteRange{90'000, kSize - 90'000}, oci::ByteRange{kSize - 1, 1}}) {
    const auto received = run(receive(content, range));
    EXPECT_FALSE(received.error);
    EXPECT_EQ(received.bytes, bytes_.substr(range.first, range.length));
  }
}

TEST_F(ContentReaderTest, RangesOfAStoredFile) {
  upstream_.put_blob(kTeam, bytes_);
  ASSERT_FALSE(pull(source(kTeam), digest_).error);
  wait_for_fills();
  auto content = fetch(source(kTeam), digest_);
  ASSERT_TRUE(content);
  ASSERT_EQ(content->outcome(), Outcome::Hit);
  EXPECT_EQ(run(receive(*content, oci::ByteRange{kSize - 5, 5})).bytes, bytes_.substr(kSize - 5));
  EXPECT_EQ(run(receive(*content)).bytes, bytes_);
}

TEST_F(ContentReaderTest, RangesOfBytesInMemory) {
  const Content content(digest_, "", std::make_shared<const std::string>(bytes_), Outcome::Stream);
  EXPECT_EQ(run(receive(content, oci::ByteRange{7, 3})).bytes, bytes_.substr(7, 3));
  EXPECT_EQ(run(receive(content)).bytes, bytes_);
}

}  // namespace
}  // namespace fairlead::cache
