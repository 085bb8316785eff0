// SPDX-License-Identifier: Apache-2.0
#include "oci/error_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace fairlead::oci {
namespace {

TEST(ErrorDocument, IsWrittenAsTheSpecificationSays) {
  EXPECT_EQ(write_error_document(ErrorCode::NameUnknown, "no \"route\"\n"),
            R"({"errors":[{"code":"NAME_UNKNOWN","message":"no \"route\"\n"}]})");
  EXPECT_EQ(write_error_document(ErrorCode::TooManyRequests, "slow down", "0123456789abcdef"),
            R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slow down",)"
            R"("detail":{"request_id":"0123456789abcdef"}}]})");
}

TEST(ErrorDocument, IsValidJsonWhateverTheMessage) {
  EXPECT_EQ(write_error_document(ErrorCode::Unknown, "caf\xc3\xa9"),
            "{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"caf\xc3\xa9\"}]}");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text{'a', static_cast<char>(byte)};
    boost::json::error_code error;
    boost::json::parse(write_error_document(ErrorCode::Unknown, text, text), error);
    EXPECT_FALSE(error) << byte;
  }
}

TEST(ErrorDocument, OfAnUpstreamIsRead) {
  const auto read = read_error_document(
      R"({"errors":[{"code":"DENIED","message":"requested access","detail":[]},{"code":"X"}]})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->code, "DENIED");
  EXPECT_EQ(read->message, "requested access");

  const auto written = read_error_document(write_error_document(ErrorCode::TagInvalid, "bad tag"));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->code, "TAG_INVALID");
  EXPECT_EQ(written->message, "bad tag");
}

TEST(ErrorDocument, CodesThatAreNoneAreUnknown) {
  for (const std::string& code :
       {std::string("\"denied\""), std::string("404"), std::string("null"), std::string("\"\""),
        std::string("\"A B\""), "\"" + std::string(65, 'A') + "\"", std::string("{}")}) {
    const auto read = read_error_document(R"({"errors":[{"code":)" + code + R"(,"message":"m"}]})");
    ASSERT_TRUE(read) << code;
    EXPECT_EQ(read->code, "UNKNOWN") << code;
    EXPECT_EQ(read->message, "m") << code;
  }
  const auto artifactory =
      read_error_document(R"({"errors":[{"status":403,"message":"Forbidden"}]})");
  ASSERT_TRUE(artifactory);
  EXPECT_EQ(artifactory->code, "UNKNOWN");
}

TEST(ErrorDocument, MessagesAreOneBoundedLine) {
  const auto message_of = [](std::string_view json_text) {
    const auto read = read_error_document("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"" +
                                          std::string(json_text) + "\"}]}");
    return read ? read->message : "not read";
  };
  EXPECT_EQ(message_of(R"(a\r\nb\u0000c\u001b[2J\u007f\u009b)"), "a  b c [2J  ");
  EXPECT_EQ(message_of(R"(caf\u00e9 \ud83d\ude00)"), "caf\xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_EQ(message_of(std::string(512, 'x')), std::string(512, 'x'));
  EXPECT_EQ(message_of(std::string(600, 'x')), std::string(512, 'x'));
  EXPECT_EQ(message_of(std::string(511, 'x') + R"(\u00e9)"), std::string(511, 'x'));
  EXPECT_EQ(message_of(std::string(510, 'x') + R"(\u00e9y)"), std::string(510, 'x') + "\xc3\xa9");
}

TEST(ErrorDocument, HtmlAndNonsenseAreNone) {
  for (const std::string& body :
       {std::string(), std::string("<html><body>502 Bad Gateway</body></html>"),
        std::string("null"), std::string("[]"), std::string("{}"),
        std::string(R"({"errors":null})"), std::string(R"({"errors":{}})"),
        std::string(R"({"errors":[]})"), std::string(R"({"errors":["DENIED"]})"),
        std::string(R"({"errors":[{}]})"), std::string(R"({"errors":[{"code":7}]})"),
        std::string(R"({"error":"not found"})"), std::string(R"({"errors":[{"code":"DENIED"}]} x)"),
        std::string(R"({"errors":[{"code":"DEN)"),
        std::string("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\xff\"}]}"),
        std::string(1000, '['), std::string("\x1f\x8b\x08")}) {
    EXPECT_FALSE(read_error_document(body)) << body;
  }
}

TEST(ErrorDocument, HugeOnesAreNotRead) {
  const std::string small = R"({"errors":[{"code":"DENIED","message":"m"}]})";
  EXPECT_TRUE(read_error_document(small + std::string(60'000, ' ')));
  EXPECT_FALSE(read_error_document(small + std::string(10'000'000, ' ')));
}

TEST(ErrorCode, NamesGoBothWays) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::Unknown); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(parse_error_code(to_string(code)), code);
  }
  EXPECT_EQ(to_string(ErrorCode::TooManyRequests), "TOOMANYREQUESTS");
  EXPECT_EQ(to_string(ErrorCode::BlobUploadInvalid), "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(parse_error_code("blob_unknown"), std::nullopt);
  EXPECT_EQ(parse_error_code(""), std::nullopt);
}

}  // namespace
}  // namespace fairlead::oci
