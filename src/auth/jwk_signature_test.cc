// SPDX-License-Identifier: Apache-2.0
#include "auth/jwk_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include <set>

#include "auth/fake_issuer.h"
#include "auth/jwt.h"

namespace fairlead::auth {
namespace {

using ::testing::HasSubstr;

const boost::json::object kClaims{{"sub", "alice"}, {"exp", 2'000'000'000}};

TEST(SignatureKey, CertificatesCarryPublicKeys) {
  for (const JwtAlgorithm algorithm : {JwtAlgorithm::RS512, JwtAlgorithm::ES256}) {
    const std::string token = *sign_jwt(kClaims, signing_key(algorithm));
    const JwtKey key{algorithm, Secret(pair_for(algorithm).certificate_pem())};
    EXPECT_TRUE(verify_jwt(token, key));
    EXPECT_TRUE(check_key(key));
    EXPECT_FALSE(sign_jwt(kClaims, key)) << "it has no private key";
  }
  EXPECT_FALSE(sign_jwt(kClaims, verifying_key(JwtAlgorithm::RS256)));
}

TEST(SignatureKey, WeakAndUnfitKeysAreRefused) {
  struct Case {
    JwtAlgorithm algorithm;
    std::string material;
    std::string error;  // empty: accepted
  };
  const std::string rsa = rsa_pair().public_pem();
  const std::string p256 = p256_pair().public_pem();
  const std::string ec_parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const std::string p384 = p384_pair().public_pem();
  const Case cases[] = {
      {JwtAlgorithm::HS256, std::string(32, 'x'), ""},
      {JwtAlgorithm::HS256, std::string(31, 'x'), "has 31 bytes (32 at least)"},
      {JwtAlgorithm::HS384, std::string(48, 'x'), ""},
      {JwtAlgorithm::HS384, std::string(47, 'x'), "48 at least"},
      {JwtAlgorithm::HS512, std::string(64, 'x'), ""},
      {JwtAlgorithm::HS512, std::string(63, 'x'), "64 at least"},
      {JwtAlgorithm::HS256, "", "has 0 bytes"},
      {JwtAlgorithm::HS256, std::string(5000, 'x'), "above 4096 bytes"},
      {JwtAlgorithm::HS256, p256, "is a PEM file"},
      {JwtAlgorithm::RS256, rsa, ""},
      {JwtAlgorithm::RS384, rsa_pair().private_pem(), ""},
      {JwtAlgorithm::RS512, rsa_pair().certificate_pem(), ""},
      {JwtAlgorithm::RS256, make_rsa_pair(1024).public_pem(), "1024 bits is too weak"},
      {JwtAlgorithm::RS256, make_rsa_pair(2040).certificate_pem(), "2040 bits is too weak"},
      {JwtAlgorithm::RS256, p256, "RS256 needs an RSA key"},
      {JwtAlgorithm::ES256, p256, ""},
      {JwtAlgorithm::ES256, ec_parameters + p256_pair().private_pem(), ""},
      {JwtAlgorithm::ES256, ec_parameters, "not PEM of a key"},
      {JwtAlgorithm::ES256, p256_pair().explicit_pem(), "curve is not given by its name"},
      {JwtAlgorithm::ES256, p384, "ES256 needs a key of the curve P-256"},
      {JwtAlgorithm::ES256, rsa, "ES256 needs"},
      {JwtAlgorithm::ES384, p384, ""},
      {JwtAlgorithm::ES384, p256, "ES384 needs a key of the curve P-384"},
      {JwtAlgorithm::ES256, make_ec_pair("P-521").public_pem(), "neither P-256 nor P-384"},
      {JwtAlgorithm::ES256, make_ec_pair("secp256k1").public_pem(), "neither P-256 nor P-384"},
      {JwtAlgorithm::RS256,
       FakeKeyPair(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")).public_pem(),
       "neither of RSA nor"},
      {JwtAlgorithm::RS256, rsa_pair().encrypted_pem(), "passphrase"},
      {JwtAlgorithm::RS256, "", "not PEM of a key"},
      {JwtAlgorithm::RS256, std::string(2048, 'x'), "not PEM of a key"},
      {JwtAlgorithm::RS256, rsa.substr(0, rsa.size() / 2), "no key that can be read"},
      {JwtAlgorithm::RS256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
       "no key that can be read"},
      {JwtAlgorithm::RS256, "-----BEGIN ", "not PEM of a key"},
      {JwtAlgorithm::RS256, std::string(70'000, ' ') + rsa, "above 64 KiB"},
  };
  for (const Case& c : cases) {
    const auto checked = check_key({c.algorithm, Secret(c.material)});
    const std::string error = checked ? "" : checked.error().context;
    EXPECT_EQ(checked.has_value(), c.error.empty()) << c.error << error;
    EXPECT_THAT(error, HasSubstr(c.error));
    if (c.material.size() > 30)
      EXPECT_FALSE(error.contains(c.material.substr(c.material.size() / 2)));
  }
}

TEST(SignatureKey, OpensslsErrorsDoNotStay) {
  ERR_clear_error();
  EXPECT_FALSE(check_key({JwtAlgorithm::RS256, Secret("-----BEGIN PUBLIC KEY-----\nx\n")}));
  const std::string good = *sign_jwt(kClaims, signing_key(JwtAlgorithm::RS256));
  const JwtKey other{JwtAlgorithm::RS256, Secret(other_rsa_pair().public_pem())};
  EXPECT_FALSE(verify_jwt(good, other));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(JwtAlgorithmNames, AreThoseOfTheRfc) {
  std::set<std::string_view> names;
  for (int i = 0; i < 8; ++i) {
    const auto algorithm = static_cast<JwtAlgorithm>(i);
    names.insert(to_string(algorithm));
    EXPECT_EQ(parse_jwt_algorithm(to_string(algorithm)), algorithm);
  }
  EXPECT_EQ(names.size(), 8u);
  EXPECT_EQ(parse_jwt_algorithm("none"), std::nullopt);
  EXPECT_EQ(parse_jwt_algorithm("hs256"), std::nullopt);
}

}  // namespace
}  // namespace fairlead::auth
