// SPDX-License-Identifier: Apache-2.0
#include "auth/local_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace fairlead::auth {
namespace {

using namespace std::string_literals;

const std::string kHex = "707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f";

TEST(LocalKey, ReadsAndWritesHexadecimalDigits) {
  const auto key = LocalKey::parse(Secret(kHex));
  ASSERT_TRUE(key);
  for (std::size_t i = 0; i < LocalKey::kSize; ++i) EXPECT_EQ(key->bytes()[i], 0x70 + i);
  EXPECT_EQ(key->hex().reveal(), kHex);

  std::string upper = kHex;
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  const auto same = LocalKey::parse(Secret(upper));
  ASSERT_TRUE(same);
  EXPECT_EQ(same->hex().reveal(), kHex);
}

TEST(LocalKey, RefusesEverythingElse) {
  for (const std::string& text :
       {""s, kHex.substr(1), kHex.substr(2), kHex + "0", kHex + "00", kHex + "\n",
        "g" + kHex.substr(1), kHex.substr(0, 63) + "g", kHex.substr(0, 63) + " ",
        kHex.substr(0, 63) + "\0"s, "0x" + kHex.substr(2),
        kHex.substr(0, 31) + ":" + kHex.substr(32)}) {
    EXPECT_FALSE(LocalKey::parse(Secret(text))) << text;
  }
}

TEST(LocalKey, RandomOnesDiffer) {
  EXPECT_NE(LocalKey::random().hex(), LocalKey::random().hex());
  EXPECT_TRUE(LocalKey::parse(LocalKey::random().hex()));
}

// The test vectors k4.lid-1 to -3 of PASERK.
TEST(LocalKey, HasThePaserkId) {
  const struct {
    std::string key;
    std::string id;
  } cases[] = {
      {std::string(64, '0'), "k4.lid.bqltbNc4JLUAmc9Xtpok-fBuI0dQN5_m3CD9W_nbh559"},
      {kHex, "k4.lid.iVtYQDjr5gEijCSjJC3fQaJm7nCeQSeaty0Jixy8dbsk"},
      {kHex.substr(0, 62) + "90", "k4.lid.-v0wjDR1FVxNT2to41Ay1P4_8X6HIxnybX1nZ1a4FCTm"},
  };
  for (const auto& c : cases) {
    const auto key = LocalKey::parse(Secret(c.key));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->id(), c.id);
  }
}

TEST(LocalKey, LeavesNothingWhereItWas) {
  LocalKey from = LocalKey::random();
  const std::string hex = from.hex().reveal();
  LocalKey to = std::move(from);
  EXPECT_EQ(to.hex().reveal(), hex);
  EXPECT_EQ(from.hex().reveal(), std::string(64, '0'));  // NOLINT(bugprone-use-after-move)
  LocalKey last = LocalKey::random();
  last = std::move(to);
  EXPECT_EQ(last.hex().reveal(), hex);
  EXPECT_EQ(to.hex().reveal(), std::string(64, '0'));  // NOLINT(bugprone-use-after-move)
}

TEST(LocalKey, IsWipedWhenItEnds) {
  alignas(LocalKey) unsigned char memory[sizeof(LocalKey)];
  auto* key = new (memory) LocalKey(LocalKey::random());
  EXPECT_FALSE(std::ranges::all_of(memory, [](unsigned char byte) { return byte == 0; }));
  key->~LocalKey();
  EXPECT_TRUE(std::ranges::all_of(memory, [](unsigned char byte) { return byte == 0; }));
}

}  // namespace
}  // namespace fairlead::auth
