// SPDX-License-Identifier: Apache-2.0
#include "auth/jwk_pem.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <optional>

#include "auth/jwk_openssl.h"

namespace fairlead::auth {
namespace {

constexpr std::size_t kMaxPem = 64 * 1024;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;     // what it costs to verify grows with its square
constexpr int kMaxExponentBits = 64;  // and with this

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;

std::unexpected<Error> unusable(std::string what) {
  return internal_error(Code::InvalidArgument, std::move(what));
}

PkeyPtr owned(EVP_PKEY* pkey) { return {pkey, EVP_PKEY_free}; }

// Instead of OpenSSL's own, which asks at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

Bio reader_of(std::string_view pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// What kind of thing the first block is; `openssl ecparam` writes one with parameters before it.
std::string_view first_label(std::string_view pem) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  std::string_view label = "EC PARAMETERS";
  while (label == "EC PARAMETERS") {
    const auto begin = pem.find(kBegin);
    if (begin == std::string_view::npos) return {};
    pem.remove_prefix(begin + kBegin.size());
    label = pem.substr(0, std::min(pem.find("-----"), pem.size()));
  }
  return label;
}

PkeyPtr read_certificate_key(std::string_view pem) {
  const Bio bio = reader_of(pem);
  const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  return certificate ? owned(X509_get_pubkey(certificate.get())) : nullptr;
}

Number number_param(const EVP_PKEY* pkey, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1) return nullptr;
  return Number(number);
}

// The attack: with the exponent 1 a signature is the padded hash itself, anybody can write it.
Result<KeyType> check_rsa(const EVP_PKEY* pkey) {
  const int bits = EVP_PKEY_get_bits(pkey);
  if (bits < kMinRsaBits) {
    return unusable("an RSA key of " + std::to_string(bits) + " bits is too weak (2048 at least)");
  }
  if (bits > kMaxRsaBits) {
    return unusable("an RSA key of " + std::to_string(bits) + " bits is too large (8192 at most)");
  }
  const Number exponent = number_param(pkey, OSSL_PKEY_PARAM_RSA_E);
  const Number modulus = number_param(pkey, OSSL_PKEY_PARAM_RSA_N);
  if (!exponent || !modulus || BN_is_odd(modulus.get()) == 0 || BN_is_odd(exponent.get()) == 0 ||
      BN_num_bits(exponent.get()) < 2 || BN_num_bits(exponent.get()) > kMaxExponentBits) {
    return unusable("the RSA key's exponent or modulus is not a sound one");
  }
  return KeyType::Rsa;
}

const char* curve_name(KeyType curve) {
  return curve == KeyType::P256 ? SN_X9_62_prime256v1 : SN_secp384r1;
}

// The attack on curves given by parameters: a generator chosen to fit somebody else's public key
// (CVE-2020-0601). OpenSSL names a group only when it was given by its name.
Result<KeyType> check_ec(EVP_PKEY* pkey) {
  std::array<char, 64> name{};
  std::array<char, 64> encoding{};
  std::size_t size = 0;
  if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, name.data(), name.size(),
                                     &size) != 1 ||
      EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, encoding.data(),
                                     encoding.size(), &size) != 1 ||
      std::string_view(encoding.data()) != OSSL_PKEY_EC_ENCODING_GROUP) {
    return unusable("the key's curve is not given by its name");
  }
  const Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, pkey, nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) {
    return unusable("the key is not a point of its curve");
  }
  for (const KeyType curve : {KeyType::P256, KeyType::P384}) {
    if (std::string_view(name.data()) == curve_name(curve)) return curve;
  }
  return unusable("the key's curve is neither P-256 nor P-384");
}

// RSA-PSS keys are not for RS256 and have a type of their own.
Result<KeyType> check(EVP_PKEY* pkey) {
  switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
      return check_rsa(pkey);
    case EVP_PKEY_EC:
      return check_ec(pkey);
    default:
      return unusable("the key is neither of RSA nor of an elliptic curve for ES256 or ES384");
  }
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()), nullptr));
}

PkeyPtr make_key(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* pkey = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &pkey, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return owned(pkey);
}

Result<std::string> public_pem(const PkeyPtr& pkey) {
  if (!pkey) return unusable("the numbers are not those of a key");
  if (auto sound = check(pkey.get()); !sound) return std::unexpected(std::move(sound.error()));
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), pkey.get()) != 1) {
    return internal_error(Code::Internal, "OpenSSL cannot write a key");
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

Result<AsymmetricKey> read_pem(std::string_view pem) {
  const ErrorQueue errors;
  if (pem.size() > kMaxPem) return unusable("the PEM text is above 64 KiB");
  const std::string_view label = first_label(pem);
  if (label.empty())
    return unusable("this is not PEM of a key: it has no line -----BEGIN ...-----");
  AsymmetricKey key;
  if (label == "CERTIFICATE") {
    key.pkey = read_certificate_key(pem);
  } else if (label.ends_with("ENCRYPTED PRIVATE KEY")) {
    return unusable("the private key has a passphrase");
  } else if (label.ends_with("PRIVATE KEY")) {
    key.is_private = true;
    key.pkey =
        owned(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, no_passphrase, nullptr));
  } else {
    key.pkey = owned(PEM_read_bio_PUBKEY(reader_of(pem).get(), nullptr, no_passphrase, nullptr));
  }
  if (!key.pkey) return unusable("the PEM text holds no key that can be read");
  const auto type = check(key.pkey.get());
  if (!type) return std::unexpected(type.error());
  key.type = *type;
  return key;
}

Result<std::string> rsa_public_pem(std::string_view modulus, std::string_view exponent) {
  const ErrorQueue errors;
  if (modulus.size() > kMaxRsaBits / 8 + 1 || exponent.size() > kMaxExponentBits / 8 + 1) {
    return unusable("the RSA key is too large");
  }
  const Number n = number_of(modulus);
  const Number e = number_of(exponent);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return unusable("the numbers are not those of a key");
  }
  return public_pem(make_key("RSA", builder.get()));
}

Result<std::string> ec_public_pem(KeyType curve, std::string_view x, std::string_view y) {
  const ErrorQueue errors;
  const std::size_t size = curve == KeyType::P256 ? 32 : 48;
  if (curve == KeyType::Rsa || x.size() != size || y.size() != size) {
    return unusable("the numbers have not the curve's length");
  }
  const std::string point = std::string(1, '\x04').append(x).append(y);  // uncompressed (SEC 1)
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve_name(curve),
                                      0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return unusable("the numbers are not those of a key");
  }
  return public_pem(make_key("EC", builder.get()));
}

}  // namespace fairlead::auth
