// SPDX-License-Identifier: Apache-2.0
#include "cache/manifest_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/stored_fixture.h"

namespace fairlead::cache {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// An image with a config and `count` layers.
std::string image_with_layers(std::size_t count) {
  std::vector<oci::Digest> layers;
  layers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) layers.push_back(sha256_of(std::to_string(i)));
  return image_of(layers);
}

TEST(ManifestNames, AreConfigAndLayers) {
  EXPECT_THAT(names_in(image_with_layers(2)).all(), SizeIs(3));
}

// The attack: a manifest of megabytes makes each of its uses expensive.
TEST(ManifestNames, OfAManifestThatNamesTooMuchAreNone) {
  EXPECT_THAT(names_in(image_with_layers(kMostNames - 1)).all(), SizeIs(kMostNames));
  EXPECT_THAT(names_in(image_with_layers(kMostNames)).all(), IsEmpty());
}

using AdoptedNamesTest = StoredFixture;

TEST_F(AdoptedNamesTest, AreBoundedAsWell) {
  const auto image = publish(image_with_layers(kMostNames));
  ASSERT_EQ(bookkeeper_.adopt(image), Bookkeeper::Adoption::Adopted);
  EXPECT_EQ(index_.content(image)->media_type, kImageType);
  EXPECT_TRUE(index_.content(image)->names.empty());
}

}  // namespace
}  // namespace fairlead::cache
