// SPDX-License-Identifier: Apache-2.0
#include "auth/base64url.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace fairlead::auth {
namespace {

using namespace std::string_literals;

TEST(Base64url, WritesAndReads) {
  const struct {
    std::string bytes;
    std::string text;
  } cases[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"},
      {"\0\0"s, "AAA"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(base64url_encode(c.bytes), c.text);
    EXPECT_EQ(base64url_decode(c.text), c.bytes) << c.text;
  }
}

TEST(Base64url, RefusesWhatItDoesNotWrite) {
  for (const std::string& text : {
           "Zg=="s,    "Zm8="s,  "Zm9v="s,  "="s,          "===="s,  // padding
           "A"s,       "Zm9vY"s,                                     // a length that no bytes have
           "Zh"s,      "Zm9"s,   "Zm9vYn"s,                          // bits behind the last byte
           "+//+"s,    "Zm 8"s,  "Zm8\n"s,  " Zm8"s,       "Zm8 "s,
           "Zm8.Zm8"s, "Zm8\0"s, "\0Zm8"s,  "Zm\xc3\xa4"s,
       }) {
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
  }
}

// Of all texts of two or three characters, exactly those are read that are written.
TEST(Base64url, EverythingHasOneText) {
  std::string text(2, '\0');
  std::set<std::string> seen;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      text[0] = static_cast<char>(first);
      text[1] = static_cast<char>(second);
      const auto bytes = base64url_decode(text);
      if (!bytes) continue;
      EXPECT_EQ(base64url_encode(*bytes), text);
      EXPECT_TRUE(seen.insert(*bytes).second);
    }
  }
  EXPECT_EQ(seen.size(), 256U);

  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::size_t read = 0;
  for (const char a : alphabet) {
    for (const char b : alphabet) {
      for (const char c : alphabet) {
        if (base64url_decode(std::string{a, b, c})) ++read;
      }
    }
  }
  EXPECT_EQ(read, 65536U);
}

TEST(Base64url, ReadsLongTexts) {
  for (const std::size_t size : {1000U, 1001U, 1002U, 65536U}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
  }
}

}  // namespace
}  // namespace fairlead::auth
