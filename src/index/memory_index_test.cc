// SPDX-License-Identifier: Apache-2.0
#include "index/memory_index.h"

#include <gtest/gtest.h>

#include <memory>

#include "testing/index_conformance.h"

namespace fairlead::testing {

struct MemoryIndexFactory {
  std::unique_ptr<index::Index> make() { return std::make_unique<index::MemoryIndex>(); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, IndexConformance, MemoryIndexFactory);

}  // namespace fairlead::testing

namespace fairlead::index {
namespace {

using fairlead::testing::digest_of_text;

constexpr std::size_t kCapacity = 640;
constexpr int kMany = 5000;

TEST(MemoryIndex, KeepsNoMoreThanItsCapacity) {
  MemoryIndex index(kCapacity);
  for (int i = 0; i < kMany; ++i) {
    const auto digest = digest_of_text(std::to_string(i));
    index.add_link("reg", "team/app", digest);
    index.describe(digest, "application/json", 1);
  }
  std::size_t links = 0;
  std::size_t contents = 0;
  for (int i = 0; i < kMany; ++i) {
    const auto digest = digest_of_text(std::to_string(i));
    links += index.has_link("reg", "team/app", digest) ? 1 : 0;
    contents += index.content(digest) ? 1 : 0;
  }
  EXPECT_LE(links, kCapacity);
  EXPECT_LE(contents, kCapacity);
  EXPECT_GE(links, kCapacity / 2) << "the room there is is not used";
  EXPECT_GE(contents, kCapacity / 2);
}

TEST(MemoryIndex, NeverDropsWhatIsStored) {
  MemoryIndex index(kCapacity);
  for (int i = 0; i < kMany; ++i) {
    index.add_stored(digest_of_text(std::to_string(i)), "", 1, {}, fairlead::testing::at(i));
  }
  EXPECT_EQ(index.totals().contents, static_cast<std::uint64_t>(kMany));
  for (int i = 0; i < kMany; ++i) EXPECT_TRUE(index.content(digest_of_text(std::to_string(i))));
}

// What has just been pulled is what is asked for next: a full index must not forget that first.
TEST(MemoryIndex, AFullIndexStillLearns) {
  MemoryIndex index(kCapacity);
  for (int i = 0; i < kMany; ++i) {
    index.add_link("reg", "team/app", digest_of_text(std::to_string(i)));
  }
  int known = 0;
  for (int i = kMany - 200; i < kMany; ++i) {
    known += index.has_link("reg", "team/app", digest_of_text(std::to_string(i))) ? 1 : 0;
  }
  EXPECT_GE(known, 150);
}

}  // namespace
}  // namespace fairlead::index
