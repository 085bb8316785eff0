// SPDX-License-Identifier: Apache-2.0
#include "auth/jwks.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/base64url.h"
#include "auth/fake_issuer.h"
#include "auth/jwt.h"

namespace fairlead::auth {
namespace {

std::string key_set(const std::string& keys) { return R"({"keys":[)" + keys + "]}"; }

// RFC 7515, appendix A.3.
TEST(Jwks, TheExampleOfTheRfcVerifies) {
  const auto keys = parse_jwks(
      key_set(R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
              R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"));
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_TRUE(verify_jwt(
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
      "cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg"
      "6NU1Q",
      keys->front()));
}

TEST(Jwks, EachKeyIsPinnedToOneAlgorithm) {
  const struct {
    std::string jwk;
    std::optional<JwtAlgorithm> configured;
    JwtAlgorithm algorithm;
    std::string kid;
  } cases[] = {
      {rsa_pair().jwk(), {}, JwtAlgorithm::RS256, ""},
      {rsa_pair().jwk(R"(,"kid":"a","use":"sig")"), {}, JwtAlgorithm::RS256, "a"},
      {rsa_pair().jwk(R"(,"alg":"RS512")"), {}, JwtAlgorithm::RS512, ""},
      {rsa_pair().jwk(R"(,"alg":"RS512")"), JwtAlgorithm::RS384, JwtAlgorithm::RS512, ""},
      {rsa_pair().jwk(), JwtAlgorithm::RS384, JwtAlgorithm::RS384, ""},
      {rsa_pair().jwk(R"(,"key_ops":["verify"],"x5c":["x"],"d":"AQAB")"),
       {},
       JwtAlgorithm::RS256,
       ""},
      {p256_pair().jwk(R"(,"kid":"b")"), {}, JwtAlgorithm::ES256, "b"},
      {p256_pair().jwk(), JwtAlgorithm::RS384, JwtAlgorithm::ES256, ""},
      {p256_pair().jwk(R"(,"alg":"ES256")"), {}, JwtAlgorithm::ES256, ""},
      {p384_pair().jwk(R"(,"use":"sig")"), {}, JwtAlgorithm::ES384, ""},
  };
  for (const auto& c : cases) {
    const auto keys = parse_jwks(key_set(c.jwk), c.configured);
    ASSERT_TRUE(keys);
    ASSERT_EQ(keys->size(), 1u) << c.jwk;
    const JwtKey& key = keys->front();
    EXPECT_EQ(key.algorithm, c.algorithm);
    EXPECT_EQ(key.kid, c.kid);
    EXPECT_TRUE(verify_jwt(*sign_jwt({}, signing_key(c.algorithm)), key)) << c.jwk;
  }
}

std::string ec_jwk(const std::string& curve, const std::string& x, const std::string& y) {
  return R"({"kty":"EC","crv":")" + curve + R"(","x":")" + base64url_encode(x) + R"(","y":")" +
         base64url_encode(y) + "\"}";
}
std::string rsa_jwk(const std::string& n, const std::string& e) {
  return R"({"kty":"RSA","n":")" + base64url_encode(n) + R"(","e":")" + base64url_encode(e) + "\"}";
}

TEST(Jwks, WhatIsNoKeyForSignaturesIsPassedOver) {
  const std::string n = "\xc1" + std::string(254, 'n') + "\x01";
  const std::string own_n =
      rsa_pair().jwk().substr(18, rsa_pair().jwk().find('"', 18) - 18);  // as it stands there
  const std::string skipped[] = {
      "null",
      "[]",
      "7",
      "{}",
      R"({"kty":"RSA"})",
      R"({"kty":["RSA"],"n":"AQAB","e":"AQAB"})",
      R"({"kty":"oct","k":")" + base64url_encode(std::string(64, 's')) + R"(","alg":"HS256"})",
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
      rsa_pair().jwk(R"(,"use":"enc")"),
      rsa_pair().jwk(R"(,"use":7)"),
      rsa_pair().jwk(R"(,"key_ops":["encrypt"])"),
      rsa_pair().jwk(R"(,"key_ops":"verify")"),
      rsa_pair().jwk(R"(,"alg":"RSA-OAEP")"),
      rsa_pair().jwk(R"(,"alg":"PS256")"),
      rsa_pair().jwk(R"(,"alg":"HS256")"),  // the public key as a secret
      rsa_pair().jwk(R"(,"alg":"ES256")"),
      rsa_pair().jwk(R"(,"alg":"none")"),
      rsa_pair().jwk(R"(,"alg":null)"),
      rsa_pair().jwk(R"(,"kid":7)"),
      rsa_pair().jwk(R"(,"kid":")" + std::string(257, 'k') + '"'),
      p256_pair().jwk(R"(,"alg":"ES384")"),
      p256_pair().jwk(R"(,"alg":"RS256")"),
      make_rsa_pair(1024).jwk(),
      make_ec_pair("P-521").jwk(),
      rsa_jwk(n, "\x01"),                            // anybody signs for that exponent
      rsa_jwk(n, ""),                                // zero
      rsa_jwk(n, std::string("\x01\0\0", 3)),        // even
      rsa_jwk(n, "\x01" + std::string(12, '\x01')),  // slow
      rsa_jwk(n + n + n + n + "\x01", "\x03"),       // slow
      rsa_jwk(n + "\x02", "\x03"),                   // even
      rsa_jwk("", "\x03"),
      R"({"kty":"RSA","n":")" + own_n + R"(==","e":"AQAB"})",
      R"({"kty":"RSA","n":"!","e":"AQAB"})",
      ec_jwk("P-256", std::string(32, '\x01'), std::string(32, '\x01')),  // not on the curve
      ec_jwk("P-256", std::string(32, '\0'), std::string(32, '\0')),
      ec_jwk("P-256", std::string(32, '\xff'), std::string(32, '\xff')),
      ec_jwk("P-256", "", ""),
      ec_jwk("P-256", std::string(31, 'x'), std::string(33, 'y')),
      ec_jwk("P-384", std::string(32, 'x'), std::string(32, 'y')),
      ec_jwk("secp256k1", std::string(32, 'x'), std::string(32, 'y')),
  };
  for (const std::string& jwk : skipped) {
    const auto keys = parse_jwks(key_set(jwk + ',' + p256_pair().jwk()));
    ASSERT_TRUE(keys) << jwk;
    ASSERT_EQ(keys->size(), 1u) << jwk;
    EXPECT_EQ(keys->front().algorithm, JwtAlgorithm::ES256);
  }
  // The same number with nothing wrong is taken: the table tests what it says.
  const auto good = parse_jwks(key_set(rsa_jwk(n, "\x03")));
  ASSERT_TRUE(good);
  EXPECT_EQ(good->size(), 1u);
  const auto none = parse_jwks(R"({"keys":[]})");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(Jwks, WhatIsNoKeySetIsAnError) {
  const struct {
    std::string document;
    Code code;
  } cases[] = {
      {"", Code::Corrupt},
      {"<html>", Code::Corrupt},
      {"[]", Code::Corrupt},
      {"{}", Code::Corrupt},
      {p256_pair().jwk(), Code::Corrupt},
      {R"({"keys":{}})", Code::Corrupt},
      {R"({"keys":null})", Code::Corrupt},
      {R"({"keys":[],"keys":[]})", Code::Corrupt},
      {key_set(R"({"kty":"EC","kty":"RSA"})"), Code::Corrupt},
      {key_set(std::string(100'000, '[')), Code::Corrupt},
      {key_set("1") + std::string(kMaxJwks, ' '), Code::TooLarge},
  };
  for (const auto& c : cases) {
    const auto keys = parse_jwks(c.document);
    ASSERT_FALSE(keys) << c.document.substr(0, 100);
    EXPECT_EQ(keys.error().code, c.code) << c.document.substr(0, 100);
  }
  std::string many = "1";
  for (std::size_t i = 1; i < kMaxJwksKeys; ++i) many += ",1";
  EXPECT_TRUE(parse_jwks(key_set(many)));
  const auto more = parse_jwks(key_set(many + ",1"));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::TooLarge);
}

}  // namespace
}  // namespace fairlead::auth
