// SPDX-License-Identifier: Apache-2.0
#include "gateway/cors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace fairlead::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

http::Request asked(std::string_view method, std::initializer_list<http::HeaderField> fields) {
  http::Request request;
  request.method = method;
  request.target = "/v2/";
  request.fields = fields;
  return request;
}

std::string headers(const Cors& cors, std::string_view origin) {
  http::ResponseHead head(200);
  cors.add_headers(asked("GET", {{"Origin", origin}}), head);
  return head.fields();
}

TEST(Cors, AllowsTheOriginsOfItsGlobs) {
  const Cors cors({"https://*.example.com", "http://localhost:3000", "https://ui-*.example.net"});
  for (const std::string_view origin : {"https://a.example.com", "https://a.b.example.com",
                                        "http://localhost:3000", "https://ui-7.example.net"}) {
    EXPECT_TRUE(cors.allows(origin)) << origin;
  }
  for (const std::string_view origin :
       {"http://a.example.com", "https://example.com", "https://a.example.com.evil.net",
        "https://evil.net/.example.com", "https://a.example.com:8443", "http://localhost:30001",
        "http://localhost", "https://notexample.com", "null", "", "*", "https://*.example.com "}) {
    EXPECT_FALSE(cors.allows(origin)) << origin;
  }
  EXPECT_TRUE(Cors({"https://*"}).allows("https://any.example:8443"));
  EXPECT_FALSE(Cors({"https://*"}).allows("https://" + std::string(1000, 'a')));
  EXPECT_FALSE(Cors({"https://*"}).allows("https://a\r\nSet-Cookie: x"));
}

TEST(Cors, AnAllowedPageMayReadTheAnswer) {
  const std::string fields = headers(Cors({"https://*"}), "https://ui.example.com");
  EXPECT_THAT(fields, HasSubstr("Vary: Origin\r\n"));
  EXPECT_THAT(fields, HasSubstr("Access-Control-Allow-Origin: https://ui.example.com\r\n"));
  for (const std::string_view name :
       {"Docker-Content-Digest", "Www-Authenticate", "Link", "Location", "Content-Range", "ETag",
        "Retry-After", "OCI-Subject", "OCI-Filters-Applied"}) {
    EXPECT_THAT(fields, HasSubstr(name));
  }
  // The attack: a page that asks with what the browser holds for us.
  EXPECT_THAT(fields, Not(HasSubstr("Credentials")));
}

// The attack: a cache between us gives a page the answer that was for another.
TEST(Cors, WhoIsNotAllowedGetsOnlyVary) {
  const Cors cors({"https://ui.example.com"});
  EXPECT_EQ(headers(cors, "https://evil.example"), "Vary: Origin\r\n");
  EXPECT_EQ(headers(cors, ""), "Vary: Origin\r\n");
}

TEST(Cors, WithoutOriginsNothingIsSaid) {
  const Cors cors({});
  EXPECT_EQ(headers(cors, "https://ui.example.com"), "");
  EXPECT_FALSE(cors.preflight(asked("OPTIONS", {{"Origin", "https://ui.example.com"},
                                                {"Access-Control-Request-Method", "GET"}})));
}

TEST(Cors, AnswersTheQuestionBeforehand) {
  const Cors cors({"https://ui.example.com"});
  const auto head = cors.preflight(asked(
      "OPTIONS", {{"Origin", "https://ui.example.com"}, {"Access-Control-Request-Method", "PUT"}}));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status(), 204);
  EXPECT_EQ(head->content_length(), 0u);
  EXPECT_THAT(head->fields(), HasSubstr("Vary: Origin\r\n"));
  EXPECT_THAT(head->fields(), HasSubstr("Access-Control-Allow-Origin: https://ui.example.com\r\n"));
  EXPECT_THAT(head->fields(), HasSubstr("Access-Control-Allow-Methods: GET, HEAD"));
  for (const std::string_view name :
       {"Authorization", "Accept", "Content-Type", "Range", "If-None-Match"}) {
    EXPECT_THAT(head->fields(), HasSubstr(name));
  }
  EXPECT_THAT(head->fields(), HasSubstr("Access-Control-Max-Age: 3600\r\n"));
  EXPECT_THAT(head->fields(), Not(HasSubstr("Credentials")));

  const auto refused = cors.preflight(asked(
      "OPTIONS", {{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "GET"}}));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->fields(), "Vary: Origin\r\n");
}

TEST(Cors, KnowsWhatIsNoSuchQuestion) {
  const Cors cors({"https://*"});
  EXPECT_FALSE(cors.preflight(asked(
      "GET", {{"Origin", "https://ui.example.com"}, {"Access-Control-Request-Method", "GET"}})));
  EXPECT_FALSE(cors.preflight(asked("OPTIONS", {{"Origin", "https://ui.example.com"}})));
  EXPECT_FALSE(cors.preflight(asked("OPTIONS", {{"Access-Control-Request-Method", "GET"}})));
}

}  // namespace
}  // namespace fairlead::gateway
