// SPDX-License-Identifier: Apache-2.0
// What a reader may see of a fill in each of its states.
#include "cache/fill.h"

#include <gtest/gtest.h>

#include "cache/cache_fixture.h"
#include "cache/fill_table.h"

namespace fairlead::cache {
namespace {

class FillTest : public CacheFixture {
 protected:
  std::unique_ptr<store::Ingest> ingest() { return *store_.begin(digest_, std::nullopt); }

  const std::string bytes_ = bytes_of_size(1000);
  const oci::Digest digest_ = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes_));
  Fill fill_{digest_, source(kTeam)};
};

TEST_F(FillTest, TheLastByteIsHiddenUntilTheContentIsVerified) {
  fill_.begin(1000, "", ingest());
  fill_.grow(600);
  EXPECT_EQ(fill_.progress().available, 600u);
  fill_.grow(1000);
  EXPECT_EQ(fill_.progress().available, 999u);
  fill_.verify(1000);
  EXPECT_EQ(fill_.progress().available, 1000u);
  EXPECT_EQ(fill_.progress().state, FillState::Committed);
}

TEST_F(FillTest, WithoutASizeEveryByteMayBeTheLast) {
  fill_.begin(std::nullopt, "", ingest());
  fill_.grow(1);
  EXPECT_EQ(fill_.progress().available, 0u);
  fill_.grow(1000);
  EXPECT_EQ(fill_.progress().available, 999u);
  EXPECT_FALSE(fill_.progress().size);
  fill_.verify(1000);
  EXPECT_EQ(fill_.progress().size, 1000u);
}

TEST_F(FillTest, AWaiterIsWokenByEveryChange) {
  std::optional<bool> woken;
  begin(fill_.wait(fill_.version(), std::chrono::steady_clock::time_point::max()), woken);
  run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(woken);
  fill_.begin(1000, "", ingest());
  run_until([&] { return woken.has_value(); });
  EXPECT_TRUE(*woken);
}

TEST_F(FillTest, OneFillForADigestUntilItCanGoWellNoLonger) {
  const auto first = fills_.join_or_begin(digest_, source(kTeam));
  EXPECT_TRUE(first.is_new);
  const auto second = fills_.join_or_begin(digest_, source(kOther));
  EXPECT_FALSE(second.is_new);
  EXPECT_EQ(first.fill, second.fill);
  EXPECT_EQ(fills_.find(digest_, ContentKind::Blob), first.fill);

  first.fill->fail(FillState::Retryable, Error{.code = Code::Unavailable});
  EXPECT_EQ(fills_.find(digest_, ContentKind::Blob), nullptr)
      << "a failed fill was given to a newcomer";
  const auto third = fills_.join_or_begin(digest_, source(kTeam));
  EXPECT_TRUE(third.is_new);
  fills_.remove(*first.fill);
  EXPECT_EQ(fills_.find(digest_, ContentKind::Blob), third.fill)
      << "an old fill removed its successor";
  fills_.remove(*third.fill);
}

}  // namespace
}  // namespace fairlead::cache
