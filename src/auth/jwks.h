// SPDX-License-Identifier: Apache-2.0
// JWKS: the document in which an issuer publishes its public keys (RFC 7517). Pure; hostile input.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "auth/jwt_key.h"
#include "base/error.h"

namespace fairlead::auth {

inline constexpr std::size_t kMaxJwks = 256 * 1024;  // bytes
inline constexpr std::size_t kMaxJwksKeys = 100;

// The keys of it that are for signatures and that check_key() accepts; the others are passed over,
// and so may leave none: an issuer that withdraws its keys is believed. Each is pinned to one
// algorithm: EC to that of its curve; RSA to its own `alg`, else to `rsa_algorithm`, else RS256.
// Secrets (`oct`) never come this way.
// Errors: Corrupt (no such document), TooLarge (above kMaxJwks or kMaxJwksKeys).
Result<std::vector<JwtKey>> parse_jwks(std::string_view document,
                                       std::optional<JwtAlgorithm> rsa_algorithm = std::nullopt);

}  // namespace fairlead::auth
