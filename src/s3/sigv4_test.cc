// SPDX-License-Identifier: Apache-2.0
// The values are those that AWS publishes: the examples of "Create a signed AWS API request" and of
// the Signature Version 4 test suite.
#include "s3/sigv4.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "s3/signing_keys.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono;

std::string hex(const Sha256& hash) {
  std::string text;
  append_hex(text, hash);
  return text;
}

// RFC 4231.
TEST(HmacSha256Test, KnownAnswers) {
  EXPECT_EQ(hex(sha256("")), kEmptyPayload);
  EXPECT_EQ(hex(HmacSha256(std::string(20, '\x0b')).of("Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const HmacSha256 jefe("Jefe");
  for (int i = 0; i < 3; ++i) {  // its state is copied, not used up
    EXPECT_EQ(hex(jefe.of("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
  EXPECT_EQ(hex(HmacSha256(std::string(131, '\xaa'))
                    .of("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(SigV4Test, TimeIsInUtc) {
  const SigningTime time(sys_days(2013y / May / 24) + 1h + 2min + 3s + 999ms);
  EXPECT_EQ(time.stamp(), "20130524T010203Z");
  EXPECT_EQ(time.date(), "20130524");
}

TEST(SigV4Test, QueriesAreEncodedAndSortedAsEncoded) {
  EXPECT_EQ(canonical_query({}), "");
  EXPECT_EQ(canonical_query({{"lifecycle", ""}}), "lifecycle=");
  EXPECT_EQ(canonical_query({{"prefix", "J"}, {"max-keys", "2"}}), "max-keys=2&prefix=J");
  EXPECT_EQ(canonical_query({{"b", "2"}, {"a", "b"}, {"a", "a"}, {"B", "/ +%"}}),
            "B=%2F%20%2B%25&a=a&a=b&b=2");
  // '!' is before 'a', and so is "%21"; 'a' is after "a-", which is not after "a%": '%' < '-'.
  EXPECT_EQ(canonical_query({{"a-", ""}, {"a!", ""}, {"a", ""}, {"!", ""}}), "%21=&a=&a%21=&a-=");
  EXPECT_EQ(canonical_query({{"\xc3\xa9", "\xff"}}), "%C3%A9=%FF");
}

TEST(SigV4Test, HeadersAreLoweredSortedAndTrimmed) {
  const auto canonical = canonical_headers(
      {{"X-Amz-Date", "20150830T123600Z"}, {"My-Header", "  a   b\t c "}, {"Host", "h"}});
  EXPECT_EQ(canonical.lines, "host:h\nmy-header:a b c\nx-amz-date:20150830T123600Z\n");
  EXPECT_EQ(canonical.names, "host;my-header;x-amz-date");
}

TEST(SigV4Test, SigningKeyOfTheDocumentation) {
  const Scope scope{.date = "20150830", .region = "us-east-1", .service = "iam"};
  const auto key = signing_key(Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), scope);
  const SigningTime time(sys_days(2015y / August / 30) + 12h + 36min);
  const auto headers =
      canonical_headers({{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                         {"Host", "iam.amazonaws.com"},
                         {"X-Amz-Date", time.stamp()}});
  const std::string query = canonical_query({{"Version", "2010-05-08"}, {"Action", "ListUsers"}});
  const std::string request = to_string(CanonicalRequest{.method = "GET",
                                                         .path = "/",
                                                         .query = query,
                                                         .header_lines = headers.lines,
                                                         .header_names = headers.names,
                                                         .payload_hash = kEmptyPayload});
  EXPECT_EQ(hex(sha256(request)),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
  const std::string text = string_to_sign(time, to_string(scope), request);
  EXPECT_EQ(text,
            "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n"
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
  EXPECT_EQ(hex(key.of(text)), "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

struct SuiteCase {
  const char* name;
  const char* method;
  std::vector<NameValue> parameters;
  const char* signature;
};

TEST(SigV4Test, VanillaCasesOfTheTestSuite) {
  const std::vector<SuiteCase> cases = {
      {"get-vanilla",
       "GET",
       {},
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla",
       "POST",
       {},
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"get-vanilla-query-order-key-case",
       "GET",
       {{"Param2", "value2"}, {"Param1", "value1"}},
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
  };
  const Scope scope{.date = "20150830", .region = "us-east-1", .service = "service"};
  const auto key = signing_key(Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), scope);
  const SigningTime time(sys_days(2015y / August / 30) + 12h + 36min);
  const auto headers =
      canonical_headers({{"Host", "example.amazonaws.com"}, {"X-Amz-Date", time.stamp()}});
  for (const auto& item : cases) {
    const std::string query = canonical_query(item.parameters);
    const std::string request = to_string(CanonicalRequest{.method = item.method,
                                                           .path = "/",
                                                           .query = query,
                                                           .header_lines = headers.lines,
                                                           .header_names = headers.names,
                                                           .payload_hash = kEmptyPayload});
    EXPECT_EQ(hex(key.of(string_to_sign(time, to_string(scope), request))), item.signature)
        << item.name << '\n'
        << request;
  }
}

TEST(SigningKeysTest, AKeyIsMadeOnceForAllThatItDependsOn) {
  SigningKeys keys;
  const Secret secret("secret");
  const auto first = keys.get(secret, {.date = "20130524", .region = "a"});
  EXPECT_EQ(keys.get(secret, {.date = "20130524", .region = "a"}), first);
  EXPECT_EQ(keys.made(), 1u);
  EXPECT_NE(keys.get(secret, {.date = "20130525", .region = "a"}), first);
  EXPECT_NE(keys.get(secret, {.date = "20130524", .region = "b"}), first);
  EXPECT_NE(keys.get(secret, {.date = "20130524", .region = "a", .service = "sts"}), first);
  EXPECT_NE(keys.get(Secret("other"), {.date = "20130524", .region = "a"}), first);
  EXPECT_EQ(keys.made(), 5u);
  EXPECT_EQ(keys.get(secret, {.date = "20130524", .region = "a"}), first);
}

TEST(SigningKeysTest, TheOldestMakesRoom) {
  SigningKeys keys;
  const Secret secret("secret");
  for (std::size_t i = 0; i <= SigningKeys::kCapacity; ++i) {
    std::ignore = keys.get(secret, {.date = "20130524", .region = std::to_string(i)});
  }
  const std::size_t made = keys.made();
  std::ignore = keys.get(secret, {.date = "20130524", .region = "1"});
  EXPECT_EQ(keys.made(), made);
  std::ignore = keys.get(secret, {.date = "20130524", .region = "0"});
  EXPECT_EQ(keys.made(), made + 1);
}

}  // namespace
}  // namespace fairlead::s3
