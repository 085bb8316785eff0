// SPDX-License-Identifier: Apache-2.0
// Signatures are those of the examples in S3's "Authenticating Requests (AWS Signature Version 4)".
#include "s3/signer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace fairlead::s3 {
namespace {

using namespace std::chrono;

class SignerTest : public ::testing::Test {
 protected:
  static BucketAddress address(std::string_view endpoint, std::string_view bucket,
                               AddressStyle style) {
    auto made = BucketAddress::make(endpoint, bucket, style);
    if (!made) throw std::runtime_error(made.error().context);
    return *made;
  }

  static std::string header(const SignedRequest& request, std::string_view name) {
    const auto found =
        std::ranges::find(request.headers, name, &std::pair<std::string, std::string>::first);
    return found == request.headers.end() ? "" : found->second;
  }

  S3Credentials credentials_{.access_key = "AKIAIOSFODNN7EXAMPLE",
                             .secret_key = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")};
  SigningKeys keys_;
  Signer signer_{.credentials = credentials_,
                 .region = "us-east-1",
                 .keys = keys_,
                 .now = sys_days(2013y / May / 24)};
  BucketAddress bucket_ =
      address("https://s3.amazonaws.com", "examplebucket", AddressStyle::VirtualHost);
};

struct Published {
  const char* name;
  ObjectRequest request;
  std::vector<NameValue> headers;
  std::string_view payload_hash;
  const char* url;
  const char* authorization;
};

TEST_F(SignerTest, HeadersAsAwsPublishesThem) {
  const std::vector<Published> examples = {
      {"GET object",
       {.key = "test.txt"},
       {{"Range", "bytes=0-9"}},
       kEmptyPayload,
       "https://examplebucket.s3.amazonaws.com/test.txt",
       "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
       "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {"PUT object",
       {.method = "PUT", .key = "test$file.text"},
       {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
       "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
       "https://examplebucket.s3.amazonaws.com/test%24file.text",
       "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
       "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
      {"GET bucket lifecycle",
       {.key = "", .parameters = {{"lifecycle", ""}}},
       {},
       kEmptyPayload,
       "https://examplebucket.s3.amazonaws.com/?lifecycle=",
       "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
       "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {"list objects",
       {.key = "", .parameters = {{"prefix", "J"}, {"max-keys", "2"}}},
       {},
       kEmptyPayload,
       "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
       "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
       "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
  for (const Published& example : examples) {
    const auto request =
        sign(bucket_, example.request, example.headers, example.payload_hash, signer_);
    ASSERT_TRUE(request) << example.name;
    EXPECT_EQ(request->url, example.url);
    EXPECT_EQ(header(*request, "Authorization"),
              "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
              "aws4_request," +
                  std::string(example.authorization))
        << example.name;
    EXPECT_EQ(header(*request, "x-amz-date"), "20130524T000000Z");
    EXPECT_EQ(header(*request, "x-amz-content-sha256"), example.payload_hash);
  }
}

TEST_F(SignerTest, UrlAsAwsPublishesIt) {
  EXPECT_EQ(presign(bucket_, {.key = "test.txt"}, 86400s, signer_),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  EXPECT_EQ(keys_.made(), 1u);
}

TEST_F(SignerTest, AUrlCarriesParametersAndTheSessionToken) {
  credentials_.session_token = Secret("a+b/c==");
  const auto url = presign(
      bucket_, {.key = "k", .parameters = {{"response-content-type", "application/x;a=b c"}}}, 1s,
      signer_);
  ASSERT_TRUE(url);
  EXPECT_TRUE(
      url->contains("&X-Amz-Security-Token=a%2Bb%2Fc%3D%3D&X-Amz-SignedHeaders=host"
                    "&response-content-type=application%2Fx%3Ba%3Db%20c&X-Amz-Signature="))
      << *url;
}

TEST_F(SignerTest, ASessionTokenIsASignedHeader) {
  credentials_.session_token = Secret("token");
  const auto request = sign(bucket_, {.key = "k"}, {}, kUnsignedPayload, signer_);
  ASSERT_TRUE(request);
  EXPECT_EQ(header(*request, "x-amz-security-token"), "token");
  EXPECT_EQ(header(*request, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  EXPECT_TRUE(header(*request, "Authorization").contains("x-amz-date;x-amz-security-token,"));
  EXPECT_EQ(header(*request, "host"), "");
}

TEST_F(SignerTest, EverySmallThingChangesTheSignature) {
  const auto signature = [&](const ObjectRequest& request, seconds expiry, WallTime now,
                             std::string_view region, const BucketAddress& bucket) {
    const auto url =
        presign(bucket, request, expiry,
                {.credentials = credentials_, .region = region, .keys = keys_, .now = now});
    return url->substr(url->rfind('='));
  };
  const auto now = signer_.now;
  const auto path_style = address("https://s3.amazonaws.com", "examplebucket", AddressStyle::Path);
  std::vector<std::string> all = {
      signature({.key = "k"}, 60s, now, "r", bucket_),
      signature({.method = "HEAD", .key = "k"}, 60s, now, "r", bucket_),
      signature({.key = "K"}, 60s, now, "r", bucket_),
      signature({.key = "k/"}, 60s, now, "r", bucket_),
      signature({.key = "k", .parameters = {{"partNumber", "1"}}}, 60s, now, "r", bucket_),
      signature({.key = "k"}, 61s, now, "r", bucket_),
      signature({.key = "k"}, 60s, now + 1s, "r", bucket_),
      signature({.key = "k"}, 60s, now + 24h, "r", bucket_),
      signature({.key = "k"}, 60s, now, "s", bucket_),
      signature({.key = "k"}, 60s, now, "r", path_style),
  };
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

TEST_F(SignerTest, KeysAreEncodedOnce) {
  const auto bucket = address("http://127.0.0.1:7480", "b.k", AddressStyle::Path);
  for (const auto& [key, path] :
       std::vector<std::pair<std::string, std::string>>{{"a b+c%20?d#e", "a%20b%2Bc%2520%3Fd%23e"},
                                                        {"/lead//double/", "/lead//double/"},
                                                        {".hidden/../x", ".hidden/../x"},
                                                        {"\xc3\xa9~-_.", "%C3%A9~-_."},
                                                        {std::string("\0\n\xff", 3), "%00%0A%FF"},
                                                        {"sha256:ab&c=d", "sha256%3Aab%26c%3Dd"}}) {
    const auto url = presign(bucket, {.key = key}, 60s, signer_);
    ASSERT_TRUE(url);
    EXPECT_EQ(url->substr(0, url->find('?')), "http://127.0.0.1:7480/b.k/" + path);
  }
}

TEST_F(SignerTest, RefusesWhatNoUrlMayBeMadeOf) {
  const auto code = [&](const ObjectRequest& request, seconds expiry) {
    const auto url = presign(bucket_, request, expiry, signer_);
    return url ? Code::Internal : url.error().code;
  };
  EXPECT_TRUE(presign(bucket_, {.key = "k"}, 1s, signer_));
  EXPECT_TRUE(presign(bucket_, {.key = "k"}, days(7), signer_));
  EXPECT_TRUE(presign(bucket_, {.key = std::string(kMaxKey, 'k')}, 1s, signer_));
  EXPECT_EQ(code({.key = "k"}, 0s), Code::InvalidArgument);
  EXPECT_EQ(code({.key = "k"}, -1s), Code::InvalidArgument);
  EXPECT_EQ(code({.key = "k"}, days(7) + 1s), Code::InvalidArgument);
  EXPECT_EQ(code({.key = ""}, 60s), Code::InvalidArgument);
  EXPECT_EQ(code({.key = std::string(kMaxKey + 1, 'k')}, 60s), Code::InvalidArgument);
  EXPECT_EQ(code({.key = "k", .parameters = {{"x-amz-expires", "9"}}}, 60s), Code::InvalidArgument);
}

TEST_F(SignerTest, RefusesHeadersThatWouldNotArriveAsSigned) {
  const std::vector<std::vector<NameValue>> bad = {{{"X-A", "1"}, {"x-a", "2"}},
                                                   {{"Host", "evil.example"}},
                                                   {{"X-Amz-Date", "now"}},
                                                   {{"authorization", "x"}},
                                                   {{"x-a", "1\nx-b: 2"}},
                                                   {{"x-a:b", "1"}},
                                                   {{"", "1"}}};
  for (const auto& headers : bad) {
    const auto request = sign(bucket_, {.key = "k"}, headers, kUnsignedPayload, signer_);
    ASSERT_FALSE(request) << headers.front().name;
    EXPECT_EQ(request.error().code, Code::InvalidArgument);
  }
}

TEST(BucketAddressTest, Styles) {
  struct Row {
    const char* endpoint;
    const char* bucket;
    AddressStyle style;
    const char* expected;
  };
  using enum AddressStyle;
  for (const Row& row : std::vector<Row>{
           {"https://s3.amazonaws.com", "abc", Path, "https://s3.amazonaws.com/abc"},
           {"https://s3.amazonaws.com/", "abc", VirtualHost, "https://abc.s3.amazonaws.com"},
           {"https://S3.Example:443", "abc", Path, "https://s3.example/abc"},
           {"http://s3.example:80", "abc", VirtualHost, "http://abc.s3.example"},
           {"http://s3.example:443", "abc", Path, "http://s3.example:443/abc"},
           {"http://s3.example:7480", "a.b-c", VirtualHost, "http://a.b-c.s3.example:7480"},
           {"http://[::1]:7480", "abc", Path, "http://[::1]:7480/abc"},
           {"http://10.0.0.1", "A_b", Path, "http://10.0.0.1/A_b"}}) {
    const auto address = BucketAddress::make(row.endpoint, row.bucket, row.style);
    ASSERT_TRUE(address) << row.endpoint << ' ' << address.error().context;
    EXPECT_EQ(address->scheme + "://" + address->authority + address->base, row.expected);
  }
}

TEST(BucketAddressTest, WhatCannotBe) {
  using enum AddressStyle;
  const std::string long_name(64, 'a');
  for (const auto& [endpoint, bucket, style] :
       std::vector<std::tuple<const char*, std::string, AddressStyle>>{
           {"s3.example", "abc", Path},
           {"ftp://s3.example", "abc", Path},
           {"https://user@s3.example", "abc", Path},
           {"https://s3.example/path", "abc", Path},
           {"https://s3.example?x", "abc", Path},
           {"https://s3.example", "ab", Path},
           {"https://s3.example", "", Path},
           {"https://s3.example", "a/b", Path},
           {"https://s3.example", "..a", Path},
           {"https://s3.example", "a b", Path},
           {"https://s3.example", std::string(256, 'a'), Path},
           {"https://s3.example", "Abc", VirtualHost},
           {"https://s3.example", "a_bc", VirtualHost},
           {"https://s3.example", "a..bc", VirtualHost},
           {"https://s3.example", "abc-", VirtualHost},
           {"https://s3.example", long_name, VirtualHost},
           {"http://127.0.0.1:7480", "abc", VirtualHost},
           {"http://[::1]", "abc", VirtualHost}}) {
    const auto address = BucketAddress::make(endpoint, bucket, style);
    ASSERT_FALSE(address) << endpoint << ' ' << bucket;
    EXPECT_EQ(address.error().code, Code::InvalidArgument);
  }
}

}  // namespace
}  // namespace fairlead::s3
