// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, of outside issuers. Pure; tokens are
// hostile input.
//
// A token says itself how it wants to be verified, and is not believed: each key serves one
// algorithm, which is compared before anything is computed. The attacks: `alg: none`, and `alg:
// HS256` over a public RSA key, which everybody can compute. `jwk`, `jku`, `x5c` and `x5u`, the key
// that the token brings along, are not looked at; `crit`, which asks for something that we do not
// know, refuses it. (RFC 8725 has all of these.)
//
// Header and claims are parsed once, by one parser, from the very bytes that the signature is over;
// each text has one spelling only (base64url.h, json_object.h).
//
// Errors are the client's, Unauthorized, and hold nothing of the token.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "auth/jwk_signature.h"
#include "auth/jwt_key.h"
#include "base/error.h"

namespace fairlead::auth {

inline constexpr std::size_t kMaxJwt = 16 * 1024;  // bytes

struct JwtHeader {
  JwtAlgorithm algorithm = JwtAlgorithm::RS256;
  std::string kid;  // may be empty

  // Whether `key` may verify it: its algorithm, and its key id where both have one.
  [[nodiscard]] bool fits(const SignatureKey& key) const;
};

// Nothing is verified here.
struct UnverifiedJwt {
  JwtHeader header;
  boost::json::object claims;
  std::string signed_text;
  std::string signature;

  // True only with a key that the header fits. The claims are the issuer's then.
  [[nodiscard]] bool is_signed_by(const SignatureKey& key) const;
};

// Whether this means to be a JWT, be it good or not: what a password is told apart by.
[[nodiscard]] bool is_jwt_shaped(std::string_view text);

Result<JwtHeader> read_jwt_header(std::string_view token);
Result<UnverifiedJwt> read_jwt(std::string_view token);

// The claims, which nobody has looked at yet: they may have expired.
Result<boost::json::object> verify_jwt(std::string_view token, const JwtKey& key);

// For `fairlead token issue`. Errors are internal.
Result<std::string> sign_jwt(const boost::json::object& claims, const JwtKey& key);

// Errors: InvalidArgument for what SignatureKey::read() refuses.
Result<void> check_key(const JwtKey& key);

}  // namespace fairlead::auth
