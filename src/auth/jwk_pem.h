// SPDX-License-Identifier: Apache-2.0
// Public and private keys as OpenSSL has them: read from PEM, written from a JWK's numbers.
//
// Keys that give no protection are not read: RSA below 2048 bits or with an exponent that makes
// forging easy, curves other than P-256 and P-384, curves given by their parameters.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace fairlead::auth {

using PkeyPtr = std::shared_ptr<evp_pkey_st>;  // thread-safe to verify and sign with

enum class KeyType { Rsa, P256, P384 };

struct AsymmetricKey {
  PkeyPtr pkey;
  KeyType type = KeyType::Rsa;
  bool is_private = false;
};

// The first block of `pem`: a public key, a certificate or an unencrypted private key. Errors:
// InvalidArgument, which say what is wrong and nothing of the text.
Result<AsymmetricKey> read_pem(std::string_view pem);

// The PEM of a public key. `modulus` and `exponent`, `x` and `y`: big-endian numbers, of hostile
// origin; x and y are as long as the curve has them. Errors: InvalidArgument.
Result<std::string> rsa_public_pem(std::string_view modulus, std::string_view exponent);
Result<std::string> ec_public_pem(KeyType curve, std::string_view x, std::string_view y);

}  // namespace fairlead::auth
