// SPDX-License-Identifier: Apache-2.0
#include "auth/json_object.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

TEST(JsonObject, HasEachMemberOnce) {
  const struct {
    std::string text;
    bool is_good;
  } cases[] = {
      {"{}", true},
      {R"({"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]})", true},
      {R"({"a":1,"a":1})", false},
      {R"({"a":1,"\u0061":2})", false},
      {R"({"a":1,"A":2})", true},
      {R"({"":1,"":2})", false},
      {R"({"b":{"a":1,"a":2}})", false},
      {R"({"b":[[{"a":1,"b":2,"a":3}]]})", false},
      {R"({"a":{"x":1,"y":2},"a":{"z":3}})", false},
      {R"({"a":[],"a":{"a":{}}})", false},
      {"[]", false},
      {"1", false},
      {"null", false},
      {"", false},
      {" {} ", true},
      {"{}{}", false},
      {"{} x", false},
      {"{'a':1}", false},
      {"{/**/}", false},
      {"{\"a\":\"\xff\"}", false},
      {"{\"a\":\"\xed\xa0\x80\"}", false},
      {R"({"a":"\ud800"})", false},
      {std::string("{\"a\":1}\0", 8), false},
      {R"({"a":NaN})", false},
      {R"({"a":01})", false},
      {R"({"a":)" + std::string(30, '[') + std::string(30, ']') + "}", true},
      {R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}", false},
      {std::string(100'000, '{'), false},
      {R"({"a":)" + std::string(100'000, '['), false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(parse_json_object(c.text).has_value(), c.is_good) << c.text.substr(0, 100);
  }
}

}  // namespace
}  // namespace fairlead::auth
