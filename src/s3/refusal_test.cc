// SPDX-License-Identifier: Apache-2.0
#include "s3/refusal.h"

#include <gtest/gtest.h>

#include <vector>

#include "s3/credential_document.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

constexpr auto kDate = "Sat, 21 Nov 2026 10:05:00 GMT";

class RefusalTest : public ::testing::Test {
 protected:
  Error refused(int status, const std::string& code = "", const std::string& more = "",
                const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    upstream::Headers all;
    for (const auto& [name, value] : headers) all.add(name, value);
    const std::string body =
        code.empty() ? "" : "<Error><Code>" + code + "</Code>" + more + "</Error>";
    return refusal({.status = status, .headers = all, .body = body}, {.region = "us-east-1",
                                                                      .permission = permission_,
                                                                      .key = "data/x",
                                                                      .credentials = credentials_,
                                                                      .now = now_});
  }

  const S3Credentials credentials_{.access_key = "AKIAKEY",
                                   .secret_key = Secret("hush/hush"),
                                   .session_token = Secret("session")};
  WallTime now_ = *parse_utc("2026-11-21T10:05:00Z");
  std::string_view permission_ = "s3:GetObject";
};

TEST_F(RefusalTest, Codes) {
  struct Case {
    int status;
    const char* code;
    Code expected;
    Retry retry;
    const char* words;
  };
  for (const Case& c : std::vector<Case>{
           {403, "InvalidAccessKeyId", Code::Unauthorized, Retry::No, "`access_key`"},
           {403, "SignatureDoesNotMatch", Code::Unauthorized, Retry::No, "`secret_key`"},
           {400, "ExpiredToken", Code::Unauthorized, Retry::No, "session token"},
           {400, "InvalidToken", Code::Unauthorized, Retry::No, "session token"},
           {401, "", Code::Unauthorized, Retry::No, "401"},
           {403, "AccessDenied", Code::Denied, Retry::No, "s3:GetObject"},
           {403, "", Code::Denied, Retry::No, "s3:ListBucket"},
           {403, "QuotaExceeded", Code::Denied, Retry::No, "quota"},
           {403, "RequestTimeTooSkewed", Code::InvalidArgument, Retry::No, "clock"},
           {404, "NoSuchBucket", Code::InvalidArgument, Retry::No, "no such bucket"},
           {404, "NoSuchKey", Code::NotFound, Retry::No, "it has no data/x"},
           {404, "NoSuchUpload", Code::NotFound, Retry::No, "upload"},
           {404, "", Code::NotFound, Retry::No, "data/x"},
           {301, "PermanentRedirect", Code::InvalidArgument, Retry::No, "region"},
           {307, "", Code::InvalidArgument, Retry::No, "us-east-1"},
           {400, "AuthorizationHeaderMalformed", Code::InvalidArgument, Retry::No, "`region`"},
           {400, "IllegalLocationConstraintException", Code::InvalidArgument, Retry::No, "region"},
           {503, "SlowDown", Code::TooManyRequests, Retry::Yes, "503 SlowDown"},
           {429, "", Code::TooManyRequests, Retry::Yes, "429"},
           {500, "InternalError", Code::Unavailable, Retry::Yes, "500 InternalError"},
           {503, "", Code::Unavailable, Retry::Yes, "503"},
           {200, "InternalError", Code::Unavailable, Retry::Yes, "InternalError"},
           {200, "SlowDown", Code::TooManyRequests, Retry::Yes, "SlowDown"},
           {200, "AccessDenied", Code::Denied, Retry::No, "s3:GetObject"},
           {400, "RequestTimeout", Code::Timeout, Retry::Yes, "in time"},
           {400, "BadDigest", Code::Corrupt, Retry::Yes, "damaged"},
           {400, "EntityTooSmall", Code::Corrupt, Retry::No, "EntityTooSmall"},
           {400, "EntityTooLarge", Code::TooLarge, Retry::No, "EntityTooLarge"},
           {400, "InvalidBucketName", Code::InvalidArgument, Retry::No, "400 InvalidBucketName"},
           {501, "NotImplemented", Code::InvalidArgument, Retry::No, "NotImplemented"},
           {405, "", Code::InvalidArgument, Retry::No, "is the endpoint one of S3?"},
       }) {
    const Error error = refused(c.status, c.code);
    EXPECT_EQ(error.code, c.expected) << c.status << c.code;
    EXPECT_EQ(error.retry, c.retry) << c.status << c.code;
    EXPECT_EQ(error.origin, Origin::Upstream);
    EXPECT_TRUE(error.context.contains(c.words)) << error.context;
  }
}

TEST_F(RefusalTest, NamesThePermission) {
  permission_ = "s3:PutObject";
  const Error error = refused(403, "AccessDenied");
  EXPECT_TRUE(error.context.contains("s3:PutObject")) << error.context;
  EXPECT_FALSE(error.context.contains("ListBucket")) << error.context;
}

// Some other server at the endpoint answers 404 to everything.
TEST_F(RefusalTest, WhatIsWrittenOrListedIsNotAbsent) {
  for (const char* permission :
       {"s3:PutObject", "s3:ListBucket", "s3:ListBucketMultipartUploads"}) {
    permission_ = permission;
    for (const char* code : {"", "NoSuchKey"}) {
      const Error error = refused(404, code);
      EXPECT_EQ(error.code, Code::InvalidArgument) << permission;
      EXPECT_EQ(error.retry, Retry::No);
      EXPECT_TRUE(error.context.contains("is no S3, or has no such bucket")) << error.context;
      EXPECT_TRUE(error.context.contains("`path_style`")) << error.context;
    }
    EXPECT_EQ(refused(404, "NoSuchUpload").code, Code::NotFound);
  }
  for (const char* permission : {"s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}) {
    permission_ = permission;
    EXPECT_EQ(refused(404).code, Code::NotFound) << permission;
  }
}

TEST_F(RefusalTest, AWrongClockIsTold) {
  const auto with_date = [&](std::chrono::seconds ahead, const char* code) {
    now_ = *parse_utc("2026-11-21T10:05:00Z") + ahead;
    return refused(403, code, "", {{"Date", kDate}});
  };
  EXPECT_TRUE(with_date(17min, "AccessDenied").context.contains("17 minutes ahead of S3's"));
  EXPECT_TRUE(with_date(-17min, "").context.contains("17 minutes behind S3's"));
  EXPECT_TRUE(with_date(-50h, "SignatureDoesNotMatch").context.contains("2 days behind"));
  EXPECT_TRUE(with_date(5h, "RequestTimeTooSkewed").context.contains("5 hours ahead"));
  EXPECT_EQ(with_date(301s, "").code, Code::InvalidArgument);
  EXPECT_EQ(with_date(-301s, "").code, Code::InvalidArgument);
  EXPECT_EQ(with_date(299s, "").code, Code::Denied);
  EXPECT_EQ(with_date(301s, "InvalidAccessKeyId").code, Code::Unauthorized);

  now_ = *parse_utc("2026-11-21T09:35:00Z");
  const Error by_body =
      refused(403, "RequestTimeTooSkewed", "<ServerTime>2026-11-21T10:05:00Z</ServerTime>");
  EXPECT_TRUE(by_body.context.contains("30 minutes behind")) << by_body.context;
}

TEST_F(RefusalTest, TheRightRegionIsTold) {
  const Error by_header = refused(301, "", "", {{"x-amz-bucket-region", "eu-west-1"}});
  EXPECT_TRUE(by_header.context.contains("`region: eu-west-1`")) << by_header.context;
  const Error by_body =
      refused(400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>");
  EXPECT_TRUE(by_body.context.contains("`region: eu-central-1`")) << by_body.context;
  for (const char* region : {"us-east-1", "x\ny", "a b", "&lt;b&gt;"}) {
    const Error error =
        refused(301, "PermanentRedirect", "<Region>" + std::string(region) + "</Region>");
    EXPECT_FALSE(error.context.contains("but in")) << error.context;
  }
}

TEST_F(RefusalTest, RetryAfter) {
  EXPECT_EQ(refused(503, "SlowDown", "", {{"Retry-After", "3"}}).retry_after, 3s);
  EXPECT_EQ(refused(503, "SlowDown").retry_after, std::nullopt);
}

TEST_F(RefusalTest, QuotesWithCare) {
  const Error quoted = refused(
      400, "Strange",
      "<Message>AKIAKEY may not s3:ListBucket\n\x1b[1m with hush/hush and session</Message>");
  EXPECT_TRUE(quoted.context.contains("may not s3:ListBucket??[1m")) << quoted.context;
  for (const char* secret : {"AKIAKEY", "hush", "session"}) {
    EXPECT_FALSE(quoted.context.contains(secret)) << quoted.context;
  }
  for (const char* code :
       {"SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken",
        "AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "AccessDenied"}) {
    const Error error = refused(403, code, "<Message>the string to sign</Message>");
    EXPECT_FALSE(error.context.contains("the string")) << error.context;
  }
  EXPECT_FALSE(refused(403, "AccessAKIAKEYDenied").context.contains("AKIAKEY"));
  EXPECT_FALSE(
      refused(301, "PermanentRedirect", "<Region>session</Region>").context.contains("session"));
  const std::string much = "<Message>" + std::string(10'000, 'x') + "</Message>";
  EXPECT_LT(refused(403, "AccessDenied", much).context.size(), 600u);
  EXPECT_LT(refused(400, "Strange", much).context.size(), 600u);
  EXPECT_FALSE(refused(400, "a b\n").context.contains("a b"));
  EXPECT_LT(refused(400, std::string(1000, 'x')).context.size(), 200u);
}

TEST(HttpDate, IsParsed) {
  const auto text = [](const char* date) {
    const auto time = parse_http_date(date);
    return time ? utc_text(*time) : "none";
  };
  EXPECT_EQ(text("Sun, 06 Nov 1994 08:49:37 GMT"), "1994-11-06T08:49:37Z");
  EXPECT_EQ(text("Thu, 29 Feb 2024 23:59:59 GMT"), "2024-02-29T23:59:59Z");
  for (const char* bad : {"", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Now 1994 08:49:37 GMT",
                          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                          "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT"}) {
    EXPECT_EQ(text(bad), "none") << bad;
  }
}

}  // namespace
}  // namespace fairlead::s3
