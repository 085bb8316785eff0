// SPDX-License-Identifier: Apache-2.0
#include "http/response.h"

#include <gtest/gtest.h>

namespace fairlead::http {
namespace {

TEST(ResponseHead, AValueCannotAddAField) {
  ResponseHead head(200);
  head.add("X-A", "a\r\nSet-Cookie: stolen\r\n\r\n<html>");
  head.add("X-B", std::string("b\0c\x7f\x1b", 5));
  EXPECT_EQ(head.fields(), "X-A: a  Set-Cookie: stolen    <html>\r\nX-B: b c  \r\n");
}

TEST(ResponseHead, FieldsKeepTheirOrder) {
  ResponseHead head(206);
  head.add("B", "1").add("A", "2").set_content_length(7);
  EXPECT_EQ(head.fields(), "B: 1\r\nA: 2\r\n");
  EXPECT_EQ(head.content_length(), 7u);
  EXPECT_EQ(head.status(), 206);
}

TEST(ResponseHead, TheDateIsInTheFormatOfHttp) {
  EXPECT_EQ(current_date().size(), std::string_view("Sun, 06 Nov 1994 08:49:37 GMT").size());
  EXPECT_TRUE(current_date().ends_with(" GMT"));
}

}  // namespace
}  // namespace fairlead::http
