// SPDX-License-Identifier: Apache-2.0
// JwtKey: what JWTs are verified or signed with, each for one algorithm only. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace fairlead::auth {

// RFC 7518, section 3.1. What is not here is not accepted: `none` above all.
enum class JwtAlgorithm { HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384 };

std::string_view to_string(JwtAlgorithm algorithm);

// Exactly as the RFC writes it, case included.
std::optional<JwtAlgorithm> parse_jwt_algorithm(std::string_view name);

// Who verifies with it can sign with it.
[[nodiscard]] constexpr bool is_symmetric(JwtAlgorithm algorithm) {
  return algorithm <= JwtAlgorithm::HS512;
}

struct JwtKey {
  JwtAlgorithm algorithm = JwtAlgorithm::RS256;
  // HS: the secret's bytes. RS, ES: PEM of a public key, of a certificate (which only carries the
  // key: neither its dates nor its issuer matter), or, to sign, of a private key.
  Secret material;
  std::string kid{};  // may be empty: the key for tokens of any key id
};

}  // namespace fairlead::auth
