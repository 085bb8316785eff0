// SPDX-License-Identifier: Apache-2.0
#include "s3/credential_document.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace fairlead::s3 {
namespace {

using namespace std::chrono;

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  return text.replace(text.find(what), what.size(), with);
}

// As the metadata service of EC2 answers.
const std::string kMetadata = R"({
  "Code" : "Success", "LastUpdated" : "2026-11-21T09:00:00Z", "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey" : "wJalr/K7MDENG+bPx",
  "Token" : "token==", "Expiration" : "2026-11-21T15:05:00Z"})";

const std::string kSts = R"(<?xml version="1.0" encoding="UTF-8"?>
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn></AssumedRoleUser>
    <Credentials>
      <SessionToken>token==</SessionToken>
      <SecretAccessKey>wJalr/K7MDENG+bPx</SecretAccessKey>
      <Expiration>2026-11-21T15:05:00.123Z</Expiration>
      <AccessKeyId> ASIAIOSFODNN7EXAMPLE
      </AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>)";

const S3Credentials kExpected{.access_key = "ASIAIOSFODNN7EXAMPLE",
                              .secret_key = Secret("wJalr/K7MDENG+bPx"),
                              .session_token = Secret("token=="),
                              .expiry = sys_days(2026y / November / 21) + 15h + 5min};

TEST(CredentialDocumentTest, Metadata) {
  const auto credentials = parse_metadata_credentials(kMetadata);
  ASSERT_TRUE(credentials) << credentials.error().context;
  EXPECT_EQ(*credentials, kExpected);
  // A container's agent says no Code; others no Token and no Expiration.
  EXPECT_EQ(parse_metadata_credentials(replaced(kMetadata, R"("Code" : "Success",)", "")),
            kExpected);
  const auto lasting =
      parse_metadata_credentials(R"({"AccessKeyId": "a", "SecretAccessKey": "b"})");
  ASSERT_TRUE(lasting);
  EXPECT_FALSE(lasting->expiry);
  EXPECT_TRUE(lasting->session_token.empty());
}

TEST(CredentialDocumentTest, NoRoleIsNoDamage) {
  const auto none = parse_metadata_credentials(replaced(kMetadata, "Success", "Failed"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::Unavailable);
}

TEST(CredentialDocumentTest, DamagedMetadata) {
  for (const std::string& json : std::vector<std::string>{
           "", "[]", "null", "{}", "<html>", kMetadata.substr(0, 100),
           replaced(kMetadata, "\"ASIAIOSFODNN7EXAMPLE\"", "7"),
           replaced(kMetadata, "ASIAIOSFODNN7EXAMPLE", ""),
           replaced(kMetadata, "ASIAIOSFODNN7EXAMPLE", "a/b"), replaced(kMetadata, "wJalr", "a b"),
           replaced(kMetadata, "token==", "a\\r\\nX-Evil: 1"),
           replaced(kMetadata, "token==", std::string(20'000, 't')),
           replaced(kMetadata, "2026-11-21T15:05:00Z", "tomorrow"),
           replaced(kMetadata, "\"2026-11-21T15:05:00Z\"", "1"),
           kMetadata + std::string(kMaxCredentialDocument, ' '), std::string(5000, '[')}) {
    const auto credentials = parse_metadata_credentials(json);
    ASSERT_FALSE(credentials) << json.substr(0, 300);
    EXPECT_EQ(credentials.error().code, Code::Corrupt);
    EXPECT_FALSE(credentials.error().context.contains("wJalr"));
  }
}

TEST(CredentialDocumentTest, Sts) {
  const auto credentials = parse_sts_credentials(kSts);
  ASSERT_TRUE(credentials) << credentials.error().context;
  EXPECT_EQ(*credentials, kExpected);
}

TEST(CredentialDocumentTest, DamagedSts) {
  for (const std::string& xml : std::vector<std::string>{
           "", "{}", kSts.substr(0, kSts.find("<Expiration>")),
           replaced(kSts, "</SecretAccessKey>", ""), replaced(kSts, "token==", ""),
           replaced(kSts, "token==", "a&#10;b"), replaced(kSts, "token==", "<b/>"),
           replaced(kSts, "<SessionToken>", "<SessionToken>x</SessionToken><SessionToken>"),
           replaced(kSts, "2026-", "20260-"), kSts + std::string(kMaxCredentialDocument, ' ')}) {
    const auto credentials = parse_sts_credentials(xml);
    ASSERT_FALSE(credentials) << xml.substr(0, 300);
    EXPECT_EQ(credentials.error().code, Code::Corrupt);
  }
}

TEST(CredentialDocumentTest, StsErrors) {
  EXPECT_EQ(parse_sts_error_code("<ErrorResponse><Error><Type>Sender</Type>"
                                 "<Code>ExpiredTokenException</Code></Error></ErrorResponse>"),
            "ExpiredTokenException");
  for (const std::string& xml :
       {std::string("<Code>a b</Code>"), std::string("<Code>\x1b[1m</Code>"), std::string(),
        "<Code>" + std::string(65, 'a') + "</Code>"}) {
    EXPECT_EQ(parse_sts_error_code(xml), "") << xml;
  }
}

TEST(CredentialDocumentTest, Times) {
  EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), WallTime());
  EXPECT_EQ(parse_utc("2024-02-29T23:59:59.999999999Z"),
            WallTime(sys_days(2024y / February / 29)) + 23h + 59min + 59s);
  for (const char* text :
       {"", "2026-11-21T10:05:00", "2026-11-21 10:05:00Z", "2026-02-29T10:05:00Z",
        "2026-13-01T10:05:00Z", "2026-00-01T10:05:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T10:60:00Z", "2026-11-21T10:05:60Z", "2026-11-21T10:05:00.Z",
        "2026-11-21T10:05:00+00:00", "2026-11-21T10:05:00ZZ", "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z", "-026-11-21T10:05:00Z", "2026-11-21T10:05:00.0000000001Z"}) {
    EXPECT_FALSE(parse_utc(text)) << text;
  }
}

}  // namespace
}  // namespace fairlead::s3
