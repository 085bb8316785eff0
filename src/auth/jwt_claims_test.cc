// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt_claims.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace fairlead::auth {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'800'000'000;

std::string plus(std::int64_t seconds) { return std::to_string(kNow + seconds); }

Result<Caller> read(const std::string& claims, const ClaimRules& rules = {}) {
  return read_claims(json::parse(claims).as_object(), rules,
                     WallTime(std::chrono::seconds(kNow)) + 999ms);
}

// Why they are refused; "" when they are not.
std::string refusal(const std::string& claims, const ClaimRules& rules = {}) {
  const auto caller = read(claims, rules);
  if (caller) return "";
  EXPECT_EQ(caller.error().code, Code::Unauthorized) << claims;
  EXPECT_EQ(caller.error().origin, Origin::Client) << claims;
  return caller.error().context;
}

TEST(JwtClaims, SayWhoItIs) {
  const auto caller = read(R"({"sub":"alice","exp":)" + plus(100) + R"(,"access":{"type":"all"}})");
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->kind, Caller::Kind::Issued);
  EXPECT_EQ(caller->name, "alice");
  ASSERT_TRUE(caller->access);
  EXPECT_TRUE(caller->access->allowed("any").has(oci::Action::Pull));
  EXPECT_FALSE(caller->is_sealed);
  EXPECT_EQ(caller->expires, WallTime(std::chrono::seconds(kNow + 100)));

  const auto nobody = read(R"({"exp":)" + plus(100) + "}");
  ASSERT_TRUE(nobody);
  EXPECT_EQ(nobody->name, "");
  EXPECT_EQ(nobody->access, std::nullopt);
  EXPECT_TRUE(nobody->is_identified());
}

TEST(JwtClaims, TimesAreKeptToTheSecond) {
  const ClaimRules rules{.issuer = "", .audience = "", .skew = 60s};
  const std::string expired = "the token has expired";
  const std::string early = "the token is not valid yet";
  const std::string future = "the token was issued in the future";
  const std::string good = R"({"exp":)" + plus(100);
  const struct {
    std::string claims;
    std::string refusal;
  } cases[] = {
      {R"({"exp":)" + plus(1) + "}", ""},
      {R"({"exp":)" + plus(-59) + "}", ""},
      {R"({"exp":)" + plus(-60) + "}", expired},
      {R"({"exp":)" + plus(-60) + ".9}", expired},
      {R"({"exp":)" + plus(-59) + ".1}", ""},
      {R"({"exp":1.8000001e9})", ""},
      {R"({"exp":0})", expired},
      {R"({"exp":9999999999})", ""},
      {R"({"exp":253402300799})", ""},
      {good + R"(,"nbf":)" + plus(60) + "}", ""},
      {good + R"(,"nbf":)" + plus(61) + "}", early},
      {good + R"(,"nbf":0})", ""},
      {good + R"(,"iat":)" + plus(60) + "}", ""},
      {good + R"(,"iat":)" + plus(61) + "}", future},
      {good + R"(,"iat":)" + plus(-1'000'000) + ".5}", ""},
      {R"({})", "the token has no claim `exp`"},
      {R"({"EXP":9999999999})", "the token has no claim `exp`"},
  };
  for (const auto& c : cases) EXPECT_EQ(refusal(c.claims, rules), c.refusal) << c.claims;
  const ClaimRules strict{.issuer = "", .audience = "", .skew = 0s};
  EXPECT_EQ(refusal(R"({"exp":)" + plus(0) + "}", strict), expired);
  EXPECT_EQ(refusal(R"({"exp":)" + plus(1) + "}", strict), "");
}

TEST(JwtClaims, TimesThatAreNoneAreRefused) {
  for (const std::string name : {"exp", "nbf", "iat"}) {
    for (const std::string value :
         {"-1", "-0.5", "1e400", "-1e400", "1e18", "1e308", "9223372036854775807",
          "9223372036854775808", "18446744073709551615", "253402300800", "1800000000000",
          "\"1800000100\"", "null", "true", "[1800000100]", "{}", "\"\"", "-9223372036854775808"}) {
      const std::string other = name == "exp" ? "" : R"(,"exp":)" + plus(100);
      EXPECT_EQ(refusal("{\"" + name + "\":" + value + other + "}"),
                "the token's claim `" + name + "` is malformed")
          << value;
    }
  }
}

TEST(JwtClaims, TheLastTimeThatThereIsDoesNotWrap) {
  const auto caller = read(R"({"exp":253402300799})");
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->expires, WallTime::max());
}

TEST(JwtClaims, IssuerAndAudienceAreExact) {
  const ClaimRules rules{.issuer = "https://idp", .audience = "registry"};
  const std::string issuer = "the token is of another issuer";
  const std::string audience = "the token is for another audience";
  const struct {
    std::string claims;
    std::string refusal;
  } cases[] = {
      {R"("iss":"https://idp","aud":"registry")", ""},
      {R"("iss":"https://idp","aud":["x","registry"])", ""},
      {R"("iss":"https://idp","aud":["x",7,"registry"])", ""},
      {R"("aud":"registry")", issuer},
      {R"("iss":"https://idp/","aud":"registry")", issuer},
      {R"("iss":"HTTPS://idp","aud":"registry")", issuer},
      {R"("iss":["https://idp"],"aud":"registry")", issuer},
      {R"("iss":null,"aud":"registry")", issuer},
      {R"("iss":"https://idp\u0000","aud":"registry")", issuer},
      {R"("iss":"https://idp")", audience},
      {R"("iss":"https://idp","aud":"")", audience},
      {R"("iss":"https://idp","aud":"registry2")", audience},
      {R"("iss":"https://idp","aud":[])", audience},
      {R"("iss":"https://idp","aud":["regi","stry"])", audience},
      {R"("iss":"https://idp","aud":[["registry"]])", audience},
      {R"("iss":"https://idp","aud":{"registry":"registry"})", audience},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(refusal("{\"exp\":" + plus(100) + "," + c.claims + "}", rules), c.refusal)
        << c.claims;
  }
  EXPECT_EQ(refusal(R"({"exp":)" + plus(100) + R"(,"iss":"any","aud":"any"})"), "");
}

TEST(JwtClaims, NamesArePrintable) {
  const auto with = [](const std::string& sub) {
    return R"({"exp":)" + plus(100) + R"(,"sub":)" + sub + "}";
  };
  for (const std::string sub : {R"("")", R"("alice")", R"("project_path:team/app:ref:main")",
                                R"("Jane Doe <j@example.com>")"}) {
    EXPECT_EQ(refusal(with(sub)), "") << sub;
  }
  EXPECT_EQ(refusal(with('"' + std::string(256, 'a') + '"')), "");
  for (const std::string sub : {R"("a\nb")", R"("a\u0000")", R"("a\u001b[31m")", R"("\u202eecila")",
                                R"("a\u007f")", R"("anonymous")"}) {
    EXPECT_EQ(refusal(with(sub)), "the token's claim `sub` is no usable name") << sub;
  }
  EXPECT_NE(refusal(with('"' + std::string(257, 'a') + '"')), "");
  for (const std::string sub : {"7", "null", "[\"alice\"]", "{}"}) {
    EXPECT_EQ(refusal(with(sub)), "the token's claim `sub` is malformed") << sub;
  }
}

TEST(JwtClaims, AMalformedAccessListIsARefusal) {
  for (const std::string access : {"\"all\"", "{}", "[7]", "true"}) {
    EXPECT_NE(refusal(R"({"exp":)" + plus(100) + R"(,"access":)" + access + "}"), "") << access;
  }
}

}  // namespace
}  // namespace fairlead::auth
