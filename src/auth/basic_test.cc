// SPDX-License-Identifier: Apache-2.0
#include "auth/basic.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

std::string base64(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > text.size() ? '=' : kAlphabet[bits >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

TEST(Basic, ReadsUserAndPassword) {
  const struct {
    std::string text;
    std::string user;
    std::string password;
  } rows[] = {{"Aladdin:open sesame", "Aladdin", "open sesame"},
              {"a:b:c", "a", "b:c"},
              {"a:", "a", ""},
              {":b", "", "b"},
              {":", "", ""},
              {"<token>:eyJ.x.y", "<token>", "eyJ.x.y"},
              {"t\xc3\xa9st:\xc2\xa3", "t\xc3\xa9st", "\xc2\xa3"}};
  for (const auto& [text, user, password] : rows) {
    for (const std::string scheme : {"Basic ", "basic ", "BASIC  "}) {
      const auto parsed = parse_basic(scheme + base64(text));
      ASSERT_TRUE(parsed) << scheme << text;
      EXPECT_EQ(parsed->user, user);
      EXPECT_EQ(parsed->password.reveal(), password);
    }
  }
  EXPECT_EQ(parse_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")->user, "Aladdin") << "RFC 7617";
}

TEST(Basic, RefusesAllElse) {
  for (const std::string& value : {std::string(),
                                   std::string("Basic"),
                                   std::string("Basic "),
                                   std::string("Bearer YTpi"),
                                   std::string("BasicYTpi"),
                                   std::string("Basic\tYTpi"),
                                   std::string("Basic YWI="),
                                   std::string("Basic YTpiYw"),     // no padding
                                   std::string("Basic YTpiYw="),    // too little
                                   std::string("Basic YTpiYw==="),  // too much
                                   std::string("Basic YTpiYx=="),   // bits that mean nothing
                                   std::string("Basic YTpi, YTpi"),
                                   std::string("Basic YT pi"),
                                   std::string("Basic YT*i"),
                                   std::string("Basic YTpi\0", 11),
                                   std::string("Basic a:b"),
                                   "Basic " + base64(std::string("alice\0:x", 8)),
                                   "Basic " + base64("alice:x\ny"),
                                   "Basic " + base64("al\rice:x"),
                                   "Basic " + base64("alice:\x7f")}) {
    const auto parsed = parse_basic(value);
    ASSERT_FALSE(parsed) << value;
    EXPECT_EQ(parsed.error().code, Code::InvalidArgument);
    EXPECT_EQ(parsed.error().origin, Origin::Client);
  }
}

TEST(Basic, IsBounded) {
  const std::string password(kMaxBasicBytes - 2, 'x');
  EXPECT_TRUE(parse_basic("Basic " + base64("a:" + password)));
  EXPECT_FALSE(parse_basic("Basic " + base64("ab:" + password)));
  EXPECT_FALSE(parse_basic("Basic " + base64("a:" + std::string(100'000, 'x'))));
}

TEST(Basic, ErrorsTellNoPassword) {
  const auto parsed = parse_basic("Basic hunter2");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().context, "malformed Basic credentials: not base64");
}

TEST(Basic, KnowsItsScheme) {
  EXPECT_TRUE(is_basic("Basic x"));
  EXPECT_TRUE(is_basic("bAsIc"));
  EXPECT_FALSE(is_basic("Basically x"));
  EXPECT_FALSE(is_basic("Bearer x"));
  EXPECT_FALSE(is_basic(""));
}

}  // namespace
}  // namespace fairlead::auth
