// SPDX-License-Identifier: Apache-2.0
// An outside issuer for tests: key pairs, tokens of whatever header and claims, key sets.
#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "auth/base64url.h"
#include "auth/jwk_signature.h"
#include "auth/jwt_key.h"

namespace fairlead::auth {

class FakeKeyPair {
 public:
  explicit FakeKeyPair(EVP_PKEY* pkey) : pkey_(pkey, EVP_PKEY_free) {
    if (!pkey_) throw std::runtime_error("cannot make a key");
  }

  [[nodiscard]] std::string private_pem() const {
    return written([&](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, pkey_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  [[nodiscard]] std::string encrypted_pem() const {
    return written([&](BIO* bio) {
      const std::string_view passphrase = "passphrase";
      return PEM_write_bio_PrivateKey(bio, pkey_.get(), EVP_aes_128_cbc(),
                                      reinterpret_cast<const unsigned char*>(passphrase.data()),
                                      static_cast<int>(passphrase.size()), nullptr, nullptr);
    });
  }
  [[nodiscard]] std::string public_pem() const {
    return written([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, pkey_.get()); });
  }
  [[nodiscard]] std::string certificate_pem() const {  // long expired
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), -3600);
    X509_set_pubkey(certificate.get(), pkey_.get());
    X509_sign(certificate.get(), pkey_.get(), EVP_sha256());
    return written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
  }

  // Of an EC key: its curve by parameters instead of by name.
  [[nodiscard]] std::string explicit_pem() const {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> copy(EVP_PKEY_dup(pkey_.get()),
                                                                   EVP_PKEY_free);
    EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_ENCODING,
                                   OSSL_PKEY_EC_ENCODING_EXPLICIT);
    return written([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, copy.get()); });
  }

  // As a JWK: `extra` is more members, `,"kid":"a"`.
  [[nodiscard]] std::string jwk(const std::string& extra = "") const {
    if (EVP_PKEY_get_base_id(pkey_.get()) == EVP_PKEY_RSA) {
      return R"({"kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
             number(OSSL_PKEY_PARAM_RSA_E, 0) + '"' + extra + '}';
    }
    const int bytes = (EVP_PKEY_get_bits(pkey_.get()) + 7) / 8;
    return R"({"kty":"EC","crv":"P-)" + std::to_string(bytes * 8) + R"(","x":")" +
           number(OSSL_PKEY_PARAM_EC_PUB_X, bytes) + R"(","y":")" +
           number(OSSL_PKEY_PARAM_EC_PUB_Y, bytes) + '"' + extra + '}';
  }

 private:
  template <class Write>
  static std::string written(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
    if (write(bio.get()) != 1) throw std::runtime_error("cannot write a key");
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
  }

  // `size`: bytes, 0: as many as it needs.
  [[nodiscard]] std::string number(const char* name, int size) const {
    BIGNUM* found = nullptr;
    EVP_PKEY_get_bn_param(pkey_.get(), name, &found);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(found, BN_free);
    if (size == 0) size = BN_num_bytes(number.get());
    std::string bytes(static_cast<std::size_t>(size), '\0');
    BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(bytes.data()), size);
    return base64url_encode(bytes);
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pkey_;
};

inline FakeKeyPair make_rsa_pair(unsigned bits = 2048) { return FakeKeyPair(EVP_RSA_gen(bits)); }
inline FakeKeyPair make_ec_pair(const char* curve) { return FakeKeyPair(EVP_EC_gen(curve)); }

// Made once: an RSA key takes a while.
inline const FakeKeyPair& rsa_pair() {
  static const FakeKeyPair pair = make_rsa_pair();
  return pair;
}
inline const FakeKeyPair& other_rsa_pair() {
  static const FakeKeyPair pair = make_rsa_pair();
  return pair;
}
inline const FakeKeyPair& p256_pair() {
  static const FakeKeyPair pair = make_ec_pair("P-256");
  return pair;
}
inline const FakeKeyPair& p384_pair() {
  static const FakeKeyPair pair = make_ec_pair("P-384");
  return pair;
}

inline const FakeKeyPair& pair_for(JwtAlgorithm algorithm) {
  if (algorithm == JwtAlgorithm::ES256) return p256_pair();
  return algorithm == JwtAlgorithm::ES384 ? p384_pair() : rsa_pair();
}

// The same key twice for HS.
inline JwtKey signing_key(JwtAlgorithm algorithm, const std::string& kid = "") {
  if (is_symmetric(algorithm)) return {algorithm, Secret(std::string(64, 's')), kid};
  return {algorithm, Secret(pair_for(algorithm).private_pem()), kid};
}
inline JwtKey verifying_key(JwtAlgorithm algorithm, const std::string& kid = "") {
  if (is_symmetric(algorithm)) return signing_key(algorithm, kid);
  return {algorithm, Secret(pair_for(algorithm).public_pem()), kid};
}

// Signed with `key`, whatever header and claims say.
inline std::string raw_token(std::string_view header, std::string_view claims, const JwtKey& key) {
  const std::string text = base64url_encode(header) + '.' + base64url_encode(claims);
  const auto signature_key = SignatureKey::read(key);
  if (!signature_key) throw std::runtime_error(signature_key.error().context);
  const auto signature = signature_key->sign(text);
  if (!signature) throw std::runtime_error(signature.error().context);
  return text + '.' + base64url_encode(*signature);
}

}  // namespace fairlead::auth
