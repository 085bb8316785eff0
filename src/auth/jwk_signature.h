// SPDX-License-Identifier: Apache-2.0
// SignatureKey: a JwtKey that was read and checked once, and signs or verifies bytes with its one
// algorithm (RFC 7518, sections 3.2 to 3.4).
//
// Why OpenSSL and not libjwt, with which this began: version 1.10 takes the algorithm from the
// token, whose name it compares without case; it ignores `crit`; it refuses every `typ` but JWT,
// and so the access tokens of RFC 9068 (at+jwt); it reads the PEM text again for each token, which
// is 450 of the 470 microseconds that an RS256 token takes it; and it asks for passphrases at the
// terminal. What would be left for it is the call of EVP_DigestVerify.
#pragma once

#include <string>
#include <string_view>

#include "auth/jwk_pem.h"
#include "auth/jwt_key.h"
#include "base/error.h"
#include "base/secret.h"

namespace fairlead::auth {

// Thread-safe; cheap to copy.
class SignatureKey {
 public:
  // Errors: InvalidArgument when the key is malformed, weak, or not one for its algorithm. They say
  // nothing of the key's text.
  static Result<SignatureKey> read(const JwtKey& key);

  [[nodiscard]] JwtAlgorithm algorithm() const { return algorithm_; }
  [[nodiscard]] const std::string& kid() const { return kid_; }

  [[nodiscard]] bool verifies(std::string_view message, std::string_view signature) const;

  // Errors: InvalidArgument for a public key.
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;

 private:
  SignatureKey(JwtAlgorithm algorithm, std::string kid)
      : algorithm_(algorithm), kid_(std::move(kid)) {}

  JwtAlgorithm algorithm_;
  std::string kid_;
  Secret secret_;      // HS
  AsymmetricKey key_;  // RS, ES
};

}  // namespace fairlead::auth
