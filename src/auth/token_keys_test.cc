// SPDX-License-Identifier: Apache-2.0
#include "auth/token_keys.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/paseto.h"

namespace fairlead::auth {
namespace {

using namespace std::string_literals;

const std::string kOld(64, 'a');
const std::string kNew(64, 'b');

TokenKeys keys_of(const std::vector<std::string>& hex) {
  std::vector<Secret> secrets;
  for (const std::string& text : hex) secrets.emplace_back(text);
  auto keys = TokenKeys::parse(secrets);
  EXPECT_TRUE(keys);
  return *std::move(keys);
}

std::string footer_for(const std::string& hex) {
  return R"({"kid":")" + LocalKey::parse(Secret(hex))->id() + R"("})";
}

TEST(TokenKeys, OpenWhatTheySealed) {
  const TokenKeys keys = keys_of({kOld});
  const std::string token = keys.seal("message", "purpose");
  EXPECT_EQ(keys.open(token, "purpose"), "message");
  EXPECT_FALSE(keys.open(token, "other purpose"));
  EXPECT_EQ(paseto::footer_of(token), footer_for(kOld));
}

// From one key to the next, with two gateways that do not learn of it at the same time.
TEST(TokenKeys, AreRotated) {
  const TokenKeys before = keys_of({kOld});
  const TokenKeys prepared = keys_of({kOld, kNew});
  const TokenKeys during = keys_of({kNew, kOld});
  const TokenKeys after = keys_of({kNew});
  const std::string old_token = before.seal("old", "");
  const std::string new_token = during.seal("new", "");

  EXPECT_EQ(paseto::footer_of(prepared.seal("", "")), footer_for(kOld));
  EXPECT_EQ(paseto::footer_of(new_token), footer_for(kNew));
  for (const TokenKeys* both : {&prepared, &during}) {
    EXPECT_EQ(both->open(old_token, ""), "old");
    EXPECT_EQ(both->open(new_token, ""), "new");
  }
  EXPECT_EQ(after.open(new_token, ""), "new");
  for (const auto& refused : {before.open(new_token, ""), after.open(old_token, "")}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Unauthorized);
    EXPECT_TRUE(refused.error().context.contains("no key that is known"))
        << refused.error().context;
  }
}

TEST(TokenKeys, RefuseAFooterThatIsNotTheirs) {
  const TokenKeys keys = keys_of({kNew, kOld});
  const auto key = LocalKey::parse(Secret(kOld));
  const std::string id = key->id();
  EXPECT_TRUE(keys.open(paseto::seal(*key, "m", footer_for(kOld), ""), ""));
  for (const std::string& footer :
       {""s, "{}"s, id, R"({"kid":""})"s, R"({"kid":null})"s, R"({"kid": ")" + id + R"("})",
        R"({"kid":")" + id + R"(","x":1})", R"({"kid":"x","kid":")" + id + R"("})",
        R"({"kid":")" + id.substr(0, id.size() - 1) + R"("})", footer_for(kNew),
        footer_for(std::string(64, 'c')), std::string(10'000, '[')}) {
    const auto opened = keys.open(paseto::seal(*key, "m", footer, ""), "");
    ASSERT_FALSE(opened) << footer;
    EXPECT_EQ(opened.error().code, Code::Unauthorized);
    EXPECT_EQ(opened.error().origin, Origin::Client);
  }
}

TEST(TokenKeys, SayWhichOneIsWrongAndShowNothingOfIt) {
  for (const std::string& wrong :
       {"c0ffee"s, std::string(63, 'c') + "g", std::string(65, 'c'), ""s}) {
    const Secret secrets[] = {Secret(kOld), Secret(wrong)};
    const auto keys = TokenKeys::parse(secrets);
    ASSERT_FALSE(keys) << wrong;
    EXPECT_EQ(keys.error().code, Code::InvalidArgument);
    EXPECT_EQ(keys.error().context, "token key 2 of 2 is not 32 bytes as 64 hexadecimal digits");
  }
  EXPECT_FALSE(TokenKeys::parse({}));
}

}  // namespace
}  // namespace fairlead::auth
