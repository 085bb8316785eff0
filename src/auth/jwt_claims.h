// SPDX-License-Identifier: Apache-2.0
// What a JWT says of its bearer, once its signature is known to be right (RFC 7519, 4.1). Pure.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <string>

#include "auth/caller.h"
#include "base/clock.h"
#include "base/error.h"

namespace fairlead::auth {

// What the claims must say.
struct ClaimRules {
  std::string issuer;             // `iss`, exactly; empty: any or none
  std::string audience;           // `aud`, or one of it; empty: any or none
  std::chrono::seconds skew{60};  // by which the issuer's clock and ours may differ
};

// Whether `iss` is the issuer of `rules`.
[[nodiscard]] bool is_issued_by(const boost::json::object& claims, const ClaimRules& rules);

// The caller: `sub` (it may be absent), `access`, and `exp`, without which no token is accepted.
// Errors: Unauthorized, which say which claim it was, and nothing of its value.
Result<Caller> read_claims(const boost::json::object& claims, const ClaimRules& rules,
                           WallTime now);

}  // namespace fairlead::auth
