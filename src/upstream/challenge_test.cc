// SPDX-License-Identifier: Apache-2.0
#include "upstream/challenge.h"

#include <gtest/gtest.h>

namespace fairlead::upstream {
namespace {

// "scheme|token68|name=value|name=value" per challenge.
std::vector<std::string> summary(std::string_view header) {
  std::vector<std::string> lines;
  for (const Challenge& challenge : parse_challenges(header)) {
    std::string line = challenge.scheme + "|" + challenge.token68;
    for (const auto& [name, value] : challenge.parameters) line.append("|" + name + "=" + value);
    lines.push_back(std::move(line));
  }
  return lines;
}

struct Case {
  std::string_view header;
  std::vector<std::string> expected;
};

TEST(Challenge, ReadsWhatRegistriesSend) {
  const Case cases[] = {
      {R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull")",
       {"bearer||realm=https://auth.docker.io/token|service=registry.docker.io|scope=repository:"
        "library/alpine:pull"}},
      {R"(Bearer scope="repository:a/b:pull,push" , realm="https://a/t")",
       {"bearer||scope=repository:a/b:pull,push|realm=https://a/t"}},
      {R"(BEARER Realm="x")", {"bearer||realm=x"}},
      {R"(bearer realm=https://a.example/token?x=1,service=s)",
       {"bearer||realm=https://a.example/token?x=1|service=s"}},
      {R"(Basic realm="a, Bearer realm=\"evil\"")", {R"(basic||realm=a, Bearer realm="evil")"}},
      {R"(Basic realm="back\\slash")", {R"(basic||realm=back\slash)"}},
      {R"(Negotiate, Basic realm="x", Bearer realm="y",service="z")",
       {"negotiate|", "basic||realm=x", "bearer||realm=y|service=z"}},
      {R"(Negotiate YII+/==, Basic realm="x")", {"negotiate|YII+/==", "basic||realm=x"}},
      {R"(Bearer realm = "x" , service = "y")", {"bearer||realm=x|service=y"}},
      {R"(,, Bearer ,realm="x",,service="y",)", {"bearer||realm=x|service=y"}},
      {"Basic", {"basic|"}},
      {R"(Basic realm="")", {"basic||realm="}},
  };
  for (const Case& c : cases) EXPECT_EQ(summary(c.header), c.expected) << c.header;
}

TEST(Challenge, KeepsWhatCameBeforeNonsense) {
  const Case cases[] = {
      {"", {}},
      {"\"", {}},
      {"=x", {}},
      {R"(realm="x")", {}},
      {R"(Bearer realm="never closed)", {"bearer|"}},
      {R"(Bearer realm="ends in \)", {"bearer|"}},
      {R"(Bearer realm="x"service="y")", {"bearer||realm=x"}},
      {R"(Basic realm="x", <html>)", {"basic||realm=x"}},
  };
  for (const Case& c : cases) EXPECT_EQ(summary(c.header), c.expected) << c.header;
}

TEST(Challenge, IsBounded) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "A,";
  EXPECT_EQ(parse_challenges(many).size(), kMaxChallenges);
  std::string wide = "Bearer ";
  for (int i = 0; i < 100; ++i) wide += "p" + std::to_string(i) + "=v,";
  ASSERT_EQ(parse_challenges(wide).size(), 1u);
  EXPECT_EQ(parse_challenges(wide).front().parameters.size(), kMaxChallengeParameters);
  EXPECT_TRUE(parse_challenges("Basic realm=" + std::string(kMaxChallengeHeader, 'x')).empty());
}

TEST(Challenge, FindsAParameterByName) {
  const auto challenges = parse_challenges(R"(Bearer SERVICE=s,realm=r)");
  ASSERT_EQ(challenges.size(), 1u);
  EXPECT_EQ(challenges[0].parameter("service"), "s");
  EXPECT_EQ(challenges[0].parameter("scope"), "");
}

}  // namespace
}  // namespace fairlead::upstream
