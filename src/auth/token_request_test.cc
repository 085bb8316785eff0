// SPDX-License-Identifier: Apache-2.0
#include "auth/token_request.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

std::string summary(const Scope& scope) {
  return scope.type + " " + scope.name + " " + to_string(scope.actions);
}

TEST(Scope, IsTypeNameAndActions) {
  const struct {
    std::string_view text;
    std::string meaning;
  } cases[] = {
      {"repository:team/app:pull", "repository team/app pull"},
      {"repository:team/app:push,pull", "repository team/app pull,push"},
      {"repository:localhost:5000/team/app:pull", "repository localhost:5000/team/app pull"},
      {"repository(plugin):a:pull", "repository a pull"},
      {"repository:a:*", "repository a pull,push,delete"},
      {"repository:a:pull,metadata_read", "repository a pull"},
      {"repository:a:", "repository a "},
      {"registry:catalog:*", "registry catalog pull,push,delete"},
  };
  for (const auto& [text, meaning] : cases) {
    const auto scope = parse_scope(text);
    ASSERT_TRUE(scope) << text;
    EXPECT_EQ(summary(*scope), meaning);
  }
  for (const std::string_view text : {"", ":", "::", "aws", "repository:a", "repository::pull"}) {
    EXPECT_FALSE(parse_scope(text)) << text;
  }
  EXPECT_FALSE(parse_scope("repository:" + std::string(600, 'a') + ":pull"));
}

TEST(TokenRequest, OfAQuery) {
  const auto request = parse_token_query(
      "account=u&scope=repository%3Aa%2Fb%3Apull&scope=repository:c:push+repository:d:pull"
      "&service=reg.example%3A5000&offline_token=true&client_id=docker");
  ASSERT_TRUE(request) << request.error();
  EXPECT_EQ(request->service, "reg.example:5000");
  ASSERT_EQ(request->scopes.size(), 3U);
  EXPECT_EQ(summary(request->scopes[0]), "repository a/b pull");
  EXPECT_EQ(summary(request->scopes[1]), "repository c push");
  EXPECT_EQ(summary(request->scopes[2]), "repository d pull");
}

TEST(TokenRequest, CredentialsAreNotTakenFromAQuery) {
  const auto request = parse_token_query("username=u&password=p&refresh_token=r");
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->username);
  EXPECT_TRUE(request->password.empty());
  EXPECT_TRUE(request->refresh_token.empty());
}

TEST(TokenRequest, OfAForm) {
  const auto password = parse_token_form(
      "grant_type=password&username=al%20ice&password=p%2Bq+r%26&service=s"
      "&scope=repository%3Aa%3Apull+repository%3Ab%3Apull&access_type=offline&client_id=c");
  ASSERT_TRUE(password) << password.error();
  EXPECT_EQ(password->username, "al ice");
  EXPECT_EQ(password->password.reveal(), "p+q r&");
  EXPECT_EQ(password->scopes.size(), 2U);
  const auto refresh = parse_token_form("grant_type=refresh_token&refresh_token=t&service=s");
  ASSERT_TRUE(refresh);
  EXPECT_FALSE(refresh->username);
  EXPECT_EQ(refresh->refresh_token.reveal(), "t");
}

TEST(TokenRequest, WhatIsWrongIsSaidWithoutQuotingIt) {
  const std::string_view forms[] = {
      "",
      "grant_type=password&password=hunter2",
      "grant_type=hunter2",
      "grant_type=refresh_token",
      "grant_type=password&username=u&password=%zz",
      "grant_type=password&username=hunter2%0a&password=p",
      "grant_type=password&username=u&password=p&scope=hunter2",
  };
  for (const auto form : forms) {
    const auto request = parse_token_form(form);
    ASSERT_FALSE(request) << form;
    EXPECT_EQ(request.error().find("hunter2"), std::string::npos);
  }
  EXPECT_FALSE(parse_token_query("scope=nonsense"));
  EXPECT_FALSE(parse_token_query("service=%"));
  std::string many;
  for (std::size_t i = 0; i <= kMaxScopes; ++i) many += "&scope=repository:a:pull";
  EXPECT_FALSE(parse_token_query(many));
}

TEST(TokenRequest, NothingAsked) {
  const auto request = parse_token_query("");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->scopes.empty());
  EXPECT_TRUE(request->service.empty());
}

}  // namespace
}  // namespace fairlead::auth
