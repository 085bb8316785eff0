// SPDX-License-Identifier: Apache-2.0
// What a sealed token holds: a caller, as compact JSON. Pure.
//
//   {"kind":"user","sub":"alice","iat":1790000000,"exp":1790000300,
//    "access":[["exact","team/app","pull","push"],["all","","pull",""]],
//    "relayed":[["corp","team/app","pull","Bearer ..."]]}
//
// Times are seconds since 1970. `access` is missing where the caller has none, `relayed` where it
// is empty. Every field is bounded and nothing else is allowed: what is read is what was meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "auth/caller.h"
#include "base/clock.h"
#include "base/error.h"

namespace fairlead::auth {

// Bytes, of one field each.
inline constexpr std::size_t kMaxCallerName = 1024;
inline constexpr std::size_t kMaxQualifiedName = 512;  // a host and a repository
inline constexpr std::size_t kMaxRegistryName = 255;
inline constexpr std::size_t kMaxAuthorization = 40 * 1024;
inline constexpr std::size_t kMaxRelayedLogins = 100;

struct TokenPayload {
  Caller caller;  // sealed; `expires` is set
  WallTime issued;
};

// Parts of a second are cut off. Of `caller`, `is_sealed` and `expires` are not looked at.
std::string write_token_payload(const Caller& caller, WallTime issued, WallTime expires);

// Errors: client's Unauthorized, naming the field. Whether it has expired is not looked at.
Result<TokenPayload> read_token_payload(std::string_view text);

}  // namespace fairlead::auth
