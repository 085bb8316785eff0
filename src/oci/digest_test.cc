// SPDX-License-Identifier: Apache-2.0
#include "oci/digest.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace fairlead::oci {
namespace {

constexpr std::string_view kEmpty =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kEmpty512 =
    "sha512:"
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2"
    "877eec2f63b931bd47417a81a538327af927da3e";

TEST(Digest, ParsesBothAlgorithms) {
  const auto sha256 = Digest::parse(kEmpty);
  ASSERT_TRUE(sha256);
  EXPECT_EQ(sha256->algorithm(), DigestAlgorithm::Sha256);
  EXPECT_EQ(sha256->str(), kEmpty);
  EXPECT_EQ(sha256->hex(), kEmpty.substr(7));

  const auto sha512 = Digest::parse(kEmpty512);
  ASSERT_TRUE(sha512);
  EXPECT_EQ(sha512->algorithm(), DigestAlgorithm::Sha512);
  EXPECT_EQ(sha512->hex(), kEmpty512.substr(7));
  EXPECT_NE(*sha256, *sha512);
}

TEST(Digest, RefusesWhatCouldBecomeAnotherPath) {
  const std::string hex(64, 'a');
  for (const std::string& text : {std::string(),
                                  std::string("sha256"),
                                  std::string("sha256:"),
                                  "sha256:" + hex.substr(1),
                                  "sha256:" + hex + "a",
                                  "sha256:" + std::string(64, 'A'),
                                  "SHA256:" + hex,
                                  "sha384:" + hex,
                                  std::string("md5:d41d8cd98f00b204e9800998ecf8427e"),
                                  "sha512:" + hex,
                                  ":" + hex,
                                  hex,
                                  " sha256:" + hex,
                                  "sha256:" + hex + " ",
                                  "sha256::" + hex.substr(1),
                                  "sha256:../" + hex.substr(3),
                                  "sha256:" + hex.substr(1) + "g",
                                  "sha256:" + hex.substr(1) + std::string(1, '\0'),
                                  "sha256+b64u:" + hex,
                                  "sha2560:" + hex}) {
    EXPECT_FALSE(Digest::parse(text)) << text;
  }
}

TEST(Digest, IsAKey) {
  const std::unordered_set<Digest> known{*Digest::parse(kEmpty)};
  EXPECT_TRUE(known.contains(digest_of(DigestAlgorithm::Sha256, {})));
  EXPECT_FALSE(known.contains(digest_of(DigestAlgorithm::Sha512, {})));
}

TEST(Hasher, HashesInPieces) {
  EXPECT_EQ(digest_of(DigestAlgorithm::Sha256, {}).str(), kEmpty);
  EXPECT_EQ(digest_of(DigestAlgorithm::Sha512, {}).str(), kEmpty512);
  Hasher hasher(DigestAlgorithm::Sha256);
  hasher.update(as_byte_view("a"));
  hasher.update({});
  hasher.update(as_byte_view("bc"));
  EXPECT_EQ(hasher.finish().str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hasher, ClonesGoTheirOwnWay) {
  Hasher first(DigestAlgorithm::Sha512);
  first.update(as_byte_view("common "));
  Hasher second = first.clone();
  first.update(as_byte_view("a"));
  second.update(as_byte_view("b"));
  Hasher moved = std::move(second);
  EXPECT_EQ(first.finish(), digest_of(DigestAlgorithm::Sha512, as_byte_view("common a")));
  EXPECT_EQ(moved.finish(), digest_of(DigestAlgorithm::Sha512, as_byte_view("common b")));
}

}  // namespace
}  // namespace fairlead::oci
