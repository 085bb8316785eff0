// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jwt.h>
#include <openssl/hmac.h>

#include <boost/json.hpp>
#include <memory>
#include <random>

#include "auth/fake_issuer.h"

namespace fairlead::auth {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

constexpr JwtAlgorithm kAll[] = {JwtAlgorithm::HS256, JwtAlgorithm::HS384, JwtAlgorithm::HS512,
                                 JwtAlgorithm::RS256, JwtAlgorithm::RS384, JwtAlgorithm::RS512,
                                 JwtAlgorithm::ES256, JwtAlgorithm::ES384};

const json::object kClaims{{"sub", "alice"}, {"exp", 2'000'000'000}};

std::string header_of(JwtAlgorithm algorithm, const std::string& more = "") {
  return R"({"alg":")" + std::string(to_string(algorithm)) + '"' + more + '}';
}

// Why `token` is refused; "" when it is not.
std::string refusal(const std::string& token, const JwtKey& key) {
  const auto claims = verify_jwt(token, key);
  if (claims) return "";
  EXPECT_EQ(claims.error().code, Code::Unauthorized);
  EXPECT_EQ(claims.error().origin, Origin::Client);
  return claims.error().context;
}

TEST(Jwt, WhatIsSignedIsVerified) {
  for (const JwtAlgorithm algorithm : kAll) {
    const auto token = sign_jwt(kClaims, signing_key(algorithm, "k1"));
    ASSERT_TRUE(token) << to_string(algorithm);
    const auto header = read_jwt_header(*token);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->algorithm, algorithm);
    EXPECT_EQ(header->kid, "k1");
    const auto claims = verify_jwt(*token, verifying_key(algorithm));
    ASSERT_TRUE(claims) << to_string(algorithm) << ": " << claims.error().context;
    EXPECT_EQ(*claims, kClaims);
  }
}

// RFC 7515, appendix A.1.
TEST(Jwt, TheExampleOfTheRfcIsVerified) {
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
      "cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const JwtKey key{
      JwtAlgorithm::HS256,
      Secret(*base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4"
                               "hcgUuTwjAzZr1Z9CAow"))};
  const auto claims = verify_jwt(token, key);
  ASSERT_TRUE(claims) << claims.error().context;
  EXPECT_EQ(claims->at("iss"), "joe");
}

// Another implementation reads what we write, and writes what we read.
TEST(Jwt, AnotherLibraryAgrees) {
  for (const JwtAlgorithm algorithm : kAll) {
    const JwtKey signing = signing_key(algorithm);
    const std::string& secret = signing.material.reveal();
    const std::string readable = verifying_key(algorithm).material.reveal();
    const auto ours = sign_jwt(kClaims, signing);
    ASSERT_TRUE(ours);
    const auto* key = reinterpret_cast<const unsigned char*>(readable.data());
    jwt_t* read = nullptr;
    EXPECT_EQ(jwt_decode(&read, ours->c_str(), key, static_cast<int>(readable.size())), 0)
        << to_string(algorithm);
    ASSERT_NE(read, nullptr);
    EXPECT_STREQ(jwt_get_grant(read, "sub"), "alice");
    jwt_free(read);

    jwt_t* made = nullptr;
    jwt_new(&made);
    jwt_add_grant(made, "sub", "bob");
    jwt_set_alg(made, jwt_str_alg(std::string(to_string(algorithm)).c_str()),
                reinterpret_cast<const unsigned char*>(secret.data()),
                static_cast<int>(secret.size()));
    const std::unique_ptr<char, decltype(&std::free)> theirs(jwt_encode_str(made), std::free);
    jwt_free(made);
    ASSERT_NE(theirs, nullptr);
    const auto claims = verify_jwt(theirs.get(), verifying_key(algorithm));
    ASSERT_TRUE(claims) << to_string(algorithm) << ": " << claims.error().context;
    EXPECT_EQ(claims->at("sub"), "bob");
  }
}

TEST(Jwt, NoAlgorithmButTheKeysOwn) {
  const std::string claims = json::serialize(kClaims);
  for (const JwtAlgorithm of_token : kAll) {
    for (const JwtAlgorithm of_key : kAll) {
      if (of_token == of_key) continue;
      // What the key itself would sign and accept, under another name.
      const std::string token = raw_token(header_of(of_token), claims, signing_key(of_key));
      EXPECT_EQ(refusal(token, verifying_key(of_key)), "the token is not for this key");
    }
  }
  for (const std::string name : {"none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS1",
                                 "PS256", "ES512", "EdDSA", "RSA1_5", "dir"}) {
    const std::string header = R"({"alg":")" + name + "\"}";
    const JwtKey key = signing_key(JwtAlgorithm::HS256);
    EXPECT_EQ(refusal(raw_token(header, claims, key), key),
              "the token's algorithm is not accepted");
    const std::string unsigned_text = base64url_encode(header) + '.' + base64url_encode(claims);
    EXPECT_EQ(refusal(unsigned_text + '.', key), "the token is not signed");
    EXPECT_NE(refusal(unsigned_text + ".AA", key), "");
  }
}

// Everybody has the public key, and can compute an HMAC with it.
TEST(Jwt, APublicKeyIsNoSecret) {
  const std::string pem = rsa_pair().public_pem();
  const std::string text = base64url_encode(header_of(JwtAlgorithm::HS256)) + '.' +
                           base64url_encode(R"({"sub":"evil"})");
  std::string mac(32, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), pem.data(), static_cast<int>(pem.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(mac.data()), &size);
  ASSERT_EQ(size, mac.size());
  const std::string forged = text + '.' + base64url_encode(mac);
  EXPECT_EQ(refusal(forged, verifying_key(JwtAlgorithm::RS256)), "the token is not for this key");
  const auto checked = check_key({JwtAlgorithm::HS256, Secret(pem)});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().context, HasSubstr("PEM"));
  EXPECT_FALSE(verify_jwt(forged, {JwtAlgorithm::HS256, Secret(pem)}));
}

TEST(Jwt, HeadersAreReadStrictly) {
  struct Case {
    std::string header;
    std::string refusal;  // empty: accepted
  };
  const std::string malformed = "the token's header is malformed";
  const std::string type = "the token's type is another one";
  const std::string algorithm = "the token's algorithm is not accepted";
  const std::string kid = "the token's key id is malformed";
  const std::string crit = "the token's header has a `crit` that is not known";
  const Case cases[] = {
      {R"({"alg":"HS256"})", ""},
      {R"({"alg":"HS256","typ":"JWT"})", ""},
      {R"({"alg":"HS256","typ":"jwt"})", ""},
      {R"({"alg":"HS256","typ":"at+jwt"})", ""},
      {R"({"alg":"HS256","typ":"application/at+JWT"})", ""},
      {R"({"alg":"HS256","typ":"logout+jwt"})", type},
      {R"({"alg":"HS256","typ":"dpop+jwt"})", type},
      {R"({"alg":"HS256","typ":7})", type},
      {R"({"alg":"HS256","kid":"any"})", ""},
      {R"({"alg":"HS256","kid":7})", kid},
      {R"({"alg":"HS256","kid":null})", kid},
      {R"({"alg":"HS256","kid":")" + std::string(257, 'k') + "\"}", kid},
      {R"({"alg":"HS256","crit":["exp"]})", crit},
      {R"({"alg":"HS256","crit":[]})", crit},
      {R"({"alg":"HS256","crit":null})", crit},
      {R"({"alg":"HS256","alg":"none"})", malformed},
      {R"({"alg":"none","alg":"HS256"})", malformed},
      {R"({"alg":"HS256","\u0061lg":"HS256"})", malformed},
      {R"({"alg":"HS256","x":{"a":1,"a":2}})", malformed},
      {R"({"alg":["HS256"]})", algorithm},
      {R"({"alg":null})", algorithm},
      {R"({"Alg":"HS256"})", algorithm},
      {R"({})", algorithm},
      {R"({"alg":"HS256"} )", ""},
      {R"({"alg":"HS256"}x)", malformed},
      {R"(["HS256"])", malformed},
      {R"("HS256")", malformed},
      {R"({"alg":"HS256",})", malformed},
      {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", malformed},
      {R"({"alg":"HS256","x":)" + std::string(40, '[') + std::string(40, ']') + "}", malformed},
      // The key that the token brings along is not looked at.
      {R"({"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/","jwk":)" +
           other_rsa_pair().jwk() + "}",
       ""},
  };
  const JwtKey key = signing_key(JwtAlgorithm::HS256);
  for (const Case& c : cases) {
    EXPECT_EQ(refusal(raw_token(c.header, R"({"sub":"a"})", key), key), c.refusal) << c.header;
  }
}

TEST(Jwt, ATokenThatBringsItsOwnKeyIsForged) {
  const JwtKey own{JwtAlgorithm::RS256, Secret(other_rsa_pair().private_pem())};
  const std::string header = header_of(JwtAlgorithm::RS256, ",\"jwk\":" + other_rsa_pair().jwk());
  EXPECT_EQ(
      refusal(raw_token(header, R"({"sub":"evil"})", own), verifying_key(JwtAlgorithm::RS256)),
      "the token's signature is wrong");
}

TEST(Jwt, ClaimsAreReadStrictly) {
  const JwtKey key = signing_key(JwtAlgorithm::HS256);
  for (const std::string claims :
       {"", "null", "[]", "{", R"({"sub":"a","sub":"b"})", R"({"x":[{"a":1,"a":1}]})",
        R"({"a":{"b":1,"c":2},"a":{"d":3}})", "{\"sub\":\"\xc0\xaf\"}", "{}{}"}) {
    const std::string token = raw_token(header_of(JwtAlgorithm::HS256), claims, key);
    EXPECT_EQ(refusal(token, key), "the token's claims are malformed") << claims;
  }
}

TEST(Jwt, KeyIdsMustAgreeWhereBothHaveOne) {
  const std::string token = *sign_jwt(kClaims, signing_key(JwtAlgorithm::ES256, "a"));
  const std::string without = *sign_jwt(kClaims, signing_key(JwtAlgorithm::ES256));
  EXPECT_EQ(refusal(token, verifying_key(JwtAlgorithm::ES256, "a")), "");
  EXPECT_EQ(refusal(token, verifying_key(JwtAlgorithm::ES256)), "");
  EXPECT_EQ(refusal(without, verifying_key(JwtAlgorithm::ES256, "a")), "");
  EXPECT_EQ(refusal(token, verifying_key(JwtAlgorithm::ES256, "b")),
            "the token is not for this key");
}

TEST(Jwt, ShapesThatAreNotAToken) {
  const JwtKey key = signing_key(JwtAlgorithm::HS256);
  const std::string good = *sign_jwt(kClaims, key);
  for (const std::string& token :
       {std::string(), std::string("."), std::string(".."), std::string("..."), std::string("a.b"),
        std::string("a.b.c"), good + ".", good + ".AAAA", '.' + good, good + '=', good + '\n',
        ' ' + good, good + std::string(1, '\0'), good.substr(0, good.rfind('.')),
        good.substr(0, good.rfind('.') + 1), std::string(kMaxJwt + 1, 'A'),
        good + std::string(kMaxJwt, 'A'), std::string(10'000, '.')}) {
    EXPECT_NE(refusal(token, key), "") << token.substr(0, 100);
    EXPECT_FALSE(is_jwt_shaped(token) && !token.starts_with(good.substr(0, good.find('.'))));
  }
  EXPECT_TRUE(is_jwt_shaped(good));
  EXPECT_TRUE(is_jwt_shaped(raw_token(R"({"alg":"PS256"})", "{}", key)));
  EXPECT_FALSE(is_jwt_shaped("correct.horse.battery"));
  EXPECT_FALSE(is_jwt_shaped("password"));
}

TEST(Jwt, EveryCharacterCounts) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (const JwtAlgorithm algorithm :
       {JwtAlgorithm::HS256, JwtAlgorithm::RS256, JwtAlgorithm::ES256}) {
    const std::string good = *sign_jwt(kClaims, signing_key(algorithm));
    const JwtKey key = verifying_key(algorithm);
    ASSERT_EQ(refusal(good, key), "");
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      const auto letter = kAlphabet.find(good[i]);
      bad[i] = letter == std::string_view::npos ? 'A' : kAlphabet[letter ^ 1];
      EXPECT_NE(refusal(bad, key), "") << i;
      EXPECT_NE(refusal(std::string(good).erase(i, 1), key), "") << i;
    }
  }
}

TEST(Jwt, NoneOfTenThousandMutationsIsAccepted) {
  const std::string good = *sign_jwt(kClaims, signing_key(JwtAlgorithm::ES256, "k"));
  const auto key = SignatureKey::read(verifying_key(JwtAlgorithm::ES256));
  ASSERT_TRUE(key);
  std::mt19937 random(7);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  int mutations = 0;
  while (mutations < 10'000) {
    std::string bad = good;
    for (auto times = 1 + below(4); times > 0; --times) {
      const auto at = below(bad.size());
      switch (below(5)) {
        case 0:
          bad[at] = static_cast<char>(below(256));
          break;
        case 1:
          bad.erase(at, 1 + below(8));
          break;
        case 2:
          bad.insert(at, 1, static_cast<char>(below(256)));
          break;
        case 3:
          bad.insert(at, bad.substr(below(bad.size()), below(16)));
          break;
        default:
          bad[at] = static_cast<char>(bad[at] ^ (1 << below(8)));
      }
      if (bad.empty()) bad = ".";
    }
    if (bad == good) continue;
    ++mutations;
    const auto jwt = read_jwt(bad);
    ASSERT_FALSE(jwt && jwt->is_signed_by(*key)) << bad;
  }
}

TEST(Jwt, AnotherKeysSignatureIsWrong) {
  const std::string rsa = *sign_jwt(kClaims, signing_key(JwtAlgorithm::RS256));
  const JwtKey other_rsa{JwtAlgorithm::RS256, Secret(other_rsa_pair().public_pem())};
  EXPECT_EQ(refusal(rsa, other_rsa), "the token's signature is wrong");
  const std::string ec = *sign_jwt(kClaims, signing_key(JwtAlgorithm::ES384));
  const JwtKey other_ec{JwtAlgorithm::ES384, Secret(make_ec_pair("P-384").public_pem())};
  EXPECT_EQ(refusal(ec, other_ec), "the token's signature is wrong");
  const std::string hs = *sign_jwt(kClaims, signing_key(JwtAlgorithm::HS512));
  const JwtKey other_hs{JwtAlgorithm::HS512, Secret(std::string(64, 't'))};
  EXPECT_EQ(refusal(hs, other_hs), "the token's signature is wrong");
}

// CVE-2022-21449: both numbers zero fit every message, where nobody looks.
TEST(Jwt, ASignatureOfZeroesIsWrong) {
  const std::string good = *sign_jwt(kClaims, signing_key(JwtAlgorithm::ES256));
  const std::string text = good.substr(0, good.rfind('.') + 1);
  for (const std::string& signature :
       {std::string(64, '\0'), std::string(64, '\xff'), std::string(63, '\0'),
        std::string(96, '\0'), std::string(1, '\0')}) {
    EXPECT_EQ(refusal(text + base64url_encode(signature), verifying_key(JwtAlgorithm::ES256)),
              "the token's signature is wrong");
  }
}

TEST(Jwt, WhatWouldBeTooLongIsNotSigned) {
  const auto token =
      sign_jwt({{"sub", std::string(kMaxJwt, 'x')}}, signing_key(JwtAlgorithm::HS256));
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, Code::TooLarge);
}

TEST(Jwt, ErrorsHoldNothingOfTheToken) {
  const JwtKey key = signing_key(JwtAlgorithm::HS256);
  for (const std::string header : {R"({"alg":"OMINOUS"})", R"({"alg":"HS256","typ":"OMINOUS+jwt"})",
                                   R"({"alg":"HS256","crit":["OMINOUS"]})", R"({OMINOUS)"}) {
    EXPECT_THAT(refusal(raw_token(header, "{}", key), key), ::testing::Not(HasSubstr("OMINOUS")));
  }
}

}  // namespace
}  // namespace fairlead::auth
