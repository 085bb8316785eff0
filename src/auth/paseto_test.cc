// SPDX-License-Identifier: Apache-2.0
#include "auth/paseto.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth::paseto {
namespace {

using namespace std::string_literals;

constexpr Nonce kZero{};
constexpr Nonce kNonce = {0xdf, 0x65, 0x48, 0x12, 0xba, 0xc4, 0x92, 0x66, 0x38, 0x25, 0x52,
                          0x0b, 0xa2, 0xf6, 0xe6, 0x7c, 0xf5, 0xca, 0x5b, 0xdc, 0x13, 0xd4,
                          0xe7, 0x50, 0x7a, 0x98, 0xcc, 0x4c, 0x2f, 0xcc, 0x3a, 0xd8};
constexpr std::string_view kSecret =
    R"({"data":"this is a secret message","exp":"2022-01-01T00:00:00+00:00"})";
constexpr std::string_view kHidden =
    R"({"data":"this is a hidden message","exp":"2022-01-01T00:00:00+00:00"})";
constexpr std::string_view kKid = R"({"kid":"zVhMiPBP9fRf2snEcT7gFTioeA9COcNy9DfgL1W60haN"})";

// The test vectors of the PASETO standard; all have vector_key().
const struct Vector {
  std::string_view name;
  Nonce nonce;
  std::string_view message;
  std::string_view footer;
  std::string_view implicit;
  std::string_view token;
} kVectors[] = {
    {"4-E-1", kZero, kSecret, "", "",
     "v4.local.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAr68PS4AXe7If_ZgesdkUMvSwsc"
     "FlAl1pk5HC0e8kApeaqMfGo_7OpBnwJOAbY9V7WU6abu74MmcUE8YWAiaArVI8XJ5hOb_4v9RmDkneN0"
     "S92dx0OW4pgy7omxgf3S8c3LlQg"},
    {"4-E-2", kZero, kHidden, "", "",
     "v4.local.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAr68PS4AXe7If_ZgesdkUMvS2cs"
     "Cgglvpk5HC0e8kApeaqMfGo_7OpBnwJOAbY9V7WU6abu74MmcUE8YWAiaArVI8XIemu9chy3WVKvRBfg"
     "6t8wwYHK0ArLxxfZP73W_vfwt5A"},
    {"4-E-3", kNonce, kSecret, "", "",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WkwM"
     "sYXw6FSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t6-tyebyWG6Ov7kKvB"
     "dkrrAJ837lKP3iDag2hzUPHuMKA"},
    {"4-E-4", kNonce, kHidden, "", "",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WiA8"
     "rd3wgFSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t4gt6TiLm55vIH8c_l"
     "GxxZpE3AWlH4WTR0v45nsWoU3gQ"},
    {"4-E-5", kNonce, kSecret, kKid, "",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WkwM"
     "sYXw6FSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t4x-RMNXtQNbz7FvFZ"
     "_G-lFpk5RG3EOrwDL6CgDqcerSQ.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NO"
     "eTlEZmdMMVc2MGhhTiJ9"},
    {"4-E-6", kNonce, kHidden, kKid, "",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WiA8"
     "rd3wgFSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t6pWSA5HX2wjb3P-xL"
     "Qg5K5feUCX4P2fpVK3ZLWFbMSxQ.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NO"
     "eTlEZmdMMVc2MGhhTiJ9"},
    {"4-E-7", kNonce, kSecret, kKid, R"({"test-vector":"4-E-7"})",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WkwM"
     "sYXw6FSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t40KCCWLA7GYL9KFHz"
     "KlwY9_RnIfRrMQpueydLEAZGGcA.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NO"
     "eTlEZmdMMVc2MGhhTiJ9"},
    {"4-E-8", kNonce, kHidden, kKid, R"({"test-vector":"4-E-8"})",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WiA8"
     "rd3wgFSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t5uvqQbMGlLLNYBc7A"
     "6_x7oqnpUK5WLvj24eE4DVPDZjw.eyJraWQiOiJ6VmhNaVBCUDlmUmYyc25FY1Q3Z0ZUaW9lQTlDT2NO"
     "eTlEZmdMMVc2MGhhTiJ9"},
    {"4-E-9", kNonce, kHidden, "arbitrary-string-that-isn't-json", R"({"test-vector":"4-E-9"})",
     "v4.local.32VIErrEkmY4JVILovbmfPXKW9wT1OdQepjMTC_MOtjA4kiqw7_tcaOM5GNEcnTxl60WiA8"
     "rd3wgFSNb_UdJPXjpzm0KW9ojM5f4O2mRvE2IcweP-PRdoHjd5-RHCiExR1IK6t6tybdlmnMwcDMw0Yx"
     "A_gFSE_IUWl78aMtOepFYSWYfQA.YXJiaXRyYXJ5LXN0cmluZy10aGF0LWlzbid0LWpzb24"},
};

LocalKey vector_key() {
  return *LocalKey::parse(
      Secret("707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"));
}

TEST(Paseto, SealsTheVectors) {
  for (const Vector& v : kVectors) {
    EXPECT_EQ(seal_with_nonce(vector_key(), v.nonce, v.message, v.footer, v.implicit), v.token)
        << v.name;
  }
}

TEST(Paseto, OpensTheVectors) {
  for (const Vector& v : kVectors) {
    const auto opened = open(vector_key(), v.token, v.implicit);
    ASSERT_TRUE(opened) << v.name << ": " << opened.error().context;
    EXPECT_EQ(opened->message, v.message) << v.name;
    EXPECT_EQ(opened->footer, v.footer) << v.name;
    EXPECT_EQ(footer_of(v.token), v.footer) << v.name;
  }
}

// Nothing of the token may be another one: not a character, not one more or less.
TEST(Paseto, RefusesWhatWasChanged) {
  const LocalKey key = vector_key();
  for (const Vector& v : kVectors) {
    const std::string token(v.token);
    for (std::size_t at = 0; at < token.size(); ++at) {
      for (const char other : {'A', 'B', 'x', '-', '.', '=', '\0', '\xff'}) {
        if (token[at] == other) continue;
        std::string changed = token;
        changed[at] = other;
        EXPECT_FALSE(open(key, changed, v.implicit)) << v.name << ": " << changed;
      }
      EXPECT_FALSE(open(key, token.substr(0, at), v.implicit)) << v.name << " cut at " << at;
    }
    for (const std::string& more : {"A"s, "AAAA"s, "="s, "."s, ".AA"s, "\n"s, "\0"s}) {
      EXPECT_FALSE(open(key, token + more, v.implicit)) << v.name << " with " << more;
      EXPECT_FALSE(open(key, more + token, v.implicit)) << v.name << " behind " << more;
    }
  }
}

TEST(Paseto, RefusesAnotherImplicitAssertionFooterOrKey) {
  const LocalKey key = vector_key();
  const LocalKey other = LocalKey::random();
  for (const Vector& v : kVectors) {
    const std::string_view implicit = v.implicit.empty() ? "x" : "";
    EXPECT_FALSE(open(key, v.token, implicit)) << v.name;
    EXPECT_FALSE(open(other, v.token, v.implicit)) << v.name;
  }
  const std::string token = seal(key, "message", "a", "b");
  const std::string body = token.substr(0, token.rfind('.'));
  EXPECT_TRUE(open(key, body + ".YQ", "b"));    // as it was
  EXPECT_FALSE(open(key, body + ".Yg", "b"));   // "b"
  EXPECT_FALSE(open(key, body, "b"));           // none
  EXPECT_FALSE(open(key, body + ".YQ", "ab"));  // pieces that are cut elsewhere
  EXPECT_FALSE(open(key, body + ".YWI", ""));
}

TEST(Paseto, RefusesOtherVersionsAndForms) {
  const LocalKey key = vector_key();
  const std::string token(kVectors[0].token);
  const std::string body = token.substr(kHeader.size());
  const std::string long_one = "v4.local." + std::string(kMaxToken, 'A');
  for (const std::string& wrong : {
           ""s,
           "v4.local."s,
           "v4.local"s,
           "v4.local.."s,
           "v4.local.AAAA"s,
           body,
           "v3.local." + body,
           "v4.public." + body,
           "V4.LOCAL." + body,
           " " + token,
           "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIiwiZXhwIjoiMjAyMi0wMS0wMVQwMDow"
           "MDowMCswMDowMCJ9bg_XBBzds8lTZShVlwwKSgeKpLT3yukTw6JUz3W4h_ExsQV-P0V54zemZDcAxFaSeef1QlX"
           "EFtkqxT1ciiQEDA"s,
           token + "=",
           token + "==",
           token.substr(0, token.size() - 1) + "h",
           token + ".",
           token + "..",
           token + ".YQ.YQ",
           token + ".YQ==",
           token + ".Yh",
           long_one,
       }) {
    const auto opened = open(key, wrong, "");
    ASSERT_FALSE(opened) << wrong.substr(0, 300);
    EXPECT_EQ(opened.error().code, Code::Unauthorized);
    EXPECT_EQ(opened.error().origin, Origin::Client);
  }
  // What differs only behind the last byte.
  const std::string stem = token.substr(0, token.size() - 1);
  ASSERT_TRUE(token.ends_with("g"));
  for (const char other : {'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'v'}) {
    EXPECT_FALSE(open(key, stem + other, "")) << other;
  }
}

TEST(Paseto, OpensUpToTheBound) {
  const LocalKey key = vector_key();
  constexpr std::size_t kMost = (kMaxToken - kHeader.size()) * 3 / 4 - 64;
  const std::string most(kMost, 'm');
  const std::string token = seal(key, most, "", "");
  ASSERT_LE(token.size(), kMaxToken);
  const auto opened = open(key, token, "");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->message, most);
  EXPECT_FALSE(open(key, seal(key, most + "mm", "", ""), ""));
}

TEST(Paseto, SealsTheSameOtherwiseEachTime) {
  const LocalKey key = vector_key();
  const std::string first = seal(key, "message", "f", "i");
  const std::string second = seal(key, "message", "f", "i");
  EXPECT_NE(first.substr(0, 30), second.substr(0, 30));
  EXPECT_EQ(open(key, first, "i")->message, "message");
  EXPECT_EQ(open(key, second, "i")->message, "message");
  EXPECT_EQ(open(key, seal(key, "", "", ""), "")->message, "");
}

TEST(Paseto, FooterIsReadWithoutTheKeyAndStrictly) {
  EXPECT_EQ(footer_of("v4.local.AAAA.YQ"), "a");
  EXPECT_EQ(footer_of("v4.local.AAAA"), "");
  for (const std::string& wrong :
       {"v4.local.AAAA."s, "v4.local.AAAA.YQ.YQ"s, "v4.local.AAAA.Yh"s, "v4.public.AAAA.YQ"s, ""s,
        "v4.local.A."s + std::string(kMaxToken, 'A')}) {
    EXPECT_FALSE(footer_of(wrong)) << wrong.substr(0, 100);
  }
}

}  // namespace
}  // namespace fairlead::auth::paseto
