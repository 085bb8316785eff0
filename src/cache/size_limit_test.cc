// SPDX-License-Identifier: Apache-2.0
#include "cache/size_limit.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"

namespace fairlead::cache {
namespace {

oci::Digest digest(std::string_view text) {
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(text));
}

TEST(SizeLimit, NoneIsNeverExceeded) {
  SizeLimit limit;
  EXPECT_FALSE(limit.is_exceeded_by(~std::uint64_t{0}));
  limit.set(100);
  EXPECT_FALSE(limit.is_exceeded_by(100));
  EXPECT_TRUE(limit.is_exceeded_by(101));
}

TEST(SizeLimit, ContentIsNewsOnce) {
  SizeLimit limit;
  EXPECT_TRUE(limit.is_news(digest("a")));
  EXPECT_TRUE(limit.is_news(digest("b")));
  EXPECT_FALSE(limit.is_news(digest("a")));
}

}  // namespace
}  // namespace fairlead::cache
