// SPDX-License-Identifier: Apache-2.0
#include "auth/jwk_signature.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>
#include <optional>

#include "auth/jwk_openssl.h"

namespace fairlead::auth {
namespace {

constexpr std::size_t kMaxSecret = 4096;

using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

const EVP_MD* hash_of(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::HS256:
    case JwtAlgorithm::RS256:
    case JwtAlgorithm::ES256:
      return EVP_sha256();
    case JwtAlgorithm::HS384:
    case JwtAlgorithm::RS384:
    case JwtAlgorithm::ES384:
      return EVP_sha384();
    case JwtAlgorithm::HS512:
    case JwtAlgorithm::RS512:
      break;
  }
  return EVP_sha512();
}

bool is_elliptic(JwtAlgorithm algorithm) {
  return algorithm == JwtAlgorithm::ES256 || algorithm == JwtAlgorithm::ES384;
}

// Bytes of each of the two numbers of a signature.
std::size_t number_size(JwtAlgorithm algorithm) {
  return algorithm == JwtAlgorithm::ES256 ? 32 : 48;
}

std::string_view wanted_key(JwtAlgorithm algorithm) {
  if (algorithm == JwtAlgorithm::ES256) return "a key of the curve P-256";
  if (algorithm == JwtAlgorithm::ES384) return "a key of the curve P-384";
  return "an RSA key";
}

bool fits(KeyType type, JwtAlgorithm algorithm) {
  if (algorithm == JwtAlgorithm::ES256) return type == KeyType::P256;
  if (algorithm == JwtAlgorithm::ES384) return type == KeyType::P384;
  return type == KeyType::Rsa;
}

Result<void> check_secret(const JwtKey& key) {
  const std::string& secret = key.material.reveal();
  const auto wanted = static_cast<std::size_t>(EVP_MD_get_size(hash_of(key.algorithm)));
  const std::string name(to_string(key.algorithm));
  // The attack: a public key, which everybody has, as the secret of an HMAC.
  if (secret.contains("-----BEGIN ")) {
    return internal_error(Code::InvalidArgument, "the secret for " + name + " is a PEM file");
  }
  if (secret.size() < wanted) {
    return internal_error(Code::InvalidArgument, "the secret for " + name + " has " +
                                                     std::to_string(secret.size()) + " bytes (" +
                                                     std::to_string(wanted) + " at least)");
  }
  if (secret.size() > kMaxSecret) {
    return internal_error(Code::InvalidArgument, "the secret for " + name + " is above 4096 bytes");
  }
  return {};
}

std::string mac(JwtAlgorithm algorithm, const Secret& secret, std::string_view message) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const std::string& key = secret.reveal();
  if (HMAC(hash_of(algorithm), key.data(), static_cast<int>(key.size()), octets(message),
           message.size(), octets(digest), &size) == nullptr) {
    return {};
  }
  digest.resize(size);
  return digest;
}

// A JWT has the two numbers side by side, OpenSSL has them in DER.
std::optional<std::string> to_der(std::string_view signature, std::size_t size) {
  if (signature.size() != 2 * size) return std::nullopt;
  const EcSignature both(ECDSA_SIG_new());
  Number r(BN_bin2bn(octets(signature), static_cast<int>(size), nullptr));
  Number s(BN_bin2bn(octets(signature.substr(size)), static_cast<int>(size), nullptr));
  if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return std::nullopt;
  std::ignore = r.release();
  std::ignore = s.release();
  unsigned char* der = nullptr;
  const int der_size = i2d_ECDSA_SIG(both.get(), &der);
  if (der_size <= 0) return std::nullopt;
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(der_size));
  OPENSSL_free(der);
  return text;
}

std::optional<std::string> from_der(std::string_view der, std::size_t size) {
  const unsigned char* at = octets(der);
  const EcSignature both(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!both) return std::nullopt;
  std::string signature(2 * size, '\0');
  const int length = static_cast<int>(size);
  if (BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), octets(signature), length) != length ||
      BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), octets(signature) + size, length) != length) {
    return std::nullopt;
  }
  return signature;
}

std::optional<std::string> sign_with(EVP_PKEY* pkey, const EVP_MD* hash, std::string_view message) {
  const DigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, pkey) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, octets(message), message.size()) != 1) {
    return std::nullopt;
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), octets(signature), &size, octets(message), message.size()) !=
      1) {
    return std::nullopt;
  }
  signature.resize(size);
  return signature;
}

bool verify_with(EVP_PKEY* pkey, const EVP_MD* hash, std::string_view message,
                 std::string_view signature) {
  const DigestContext context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, pkey) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                          message.size()) == 1;
}

}  // namespace

Result<SignatureKey> SignatureKey::read(const JwtKey& key) {
  SignatureKey read(key.algorithm, key.kid);
  if (is_symmetric(key.algorithm)) {
    if (auto sound = check_secret(key); !sound) return std::unexpected(std::move(sound.error()));
    read.secret_ = key.material;
    return read;
  }
  auto pem = read_pem(key.material.reveal());
  if (!pem) return std::unexpected(std::move(pem.error()));
  if (!fits(pem->type, key.algorithm)) {
    return internal_error(Code::InvalidArgument, std::string(to_string(key.algorithm)) + " needs " +
                                                     std::string(wanted_key(key.algorithm)));
  }
  read.key_ = *std::move(pem);
  return read;
}

bool SignatureKey::verifies(std::string_view message, std::string_view signature) const {
  const ErrorQueue errors;
  if (is_symmetric(algorithm_)) {
    // In constant time: how much of a guess was right must not show.
    const std::string expected = mac(algorithm_, secret_, message);
    return !expected.empty() && signature.size() == expected.size() &&
           CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0;
  }
  const EVP_MD* hash = hash_of(algorithm_);
  if (!is_elliptic(algorithm_)) return verify_with(key_.pkey.get(), hash, message, signature);
  const auto der = to_der(signature, number_size(algorithm_));
  return der && verify_with(key_.pkey.get(), hash, message, *der);
}

Result<std::string> SignatureKey::sign(std::string_view message) const {
  const ErrorQueue errors;
  std::optional<std::string> signature;
  if (is_symmetric(algorithm_)) {
    signature = mac(algorithm_, secret_, message);
  } else if (!key_.is_private) {
    return internal_error(Code::InvalidArgument, "a public key cannot sign; the private one can");
  } else {
    signature = sign_with(key_.pkey.get(), hash_of(algorithm_), message);
    if (signature && is_elliptic(algorithm_)) {
      signature = from_der(*signature, number_size(algorithm_));
    }
  }
  if (!signature || signature->empty()) {
    return internal_error(Code::Internal, "OpenSSL cannot sign");
  }
  return *std::move(signature);
}

}  // namespace fairlead::auth
