// SPDX-License-Identifier: Apache-2.0
// What `fairlead token inspect` tells of a token: what it says, and whether a gateway of this
// configuration would accept it now, and why not. The verdict is that of the code which the gateway
// asks; only keys that are published at a URL are not fetched.
//
// Tokens are hostile input, and what is shown of them is fit for a terminal. Authorizations of
// upstreams inside a sealed token are never shown.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.h"
#include "auth/jwt_issuers.h"
#include "base/clock.h"
#include "base/secret.h"

namespace fairlead::control {

// What it is checked with.
struct TokenChecks {
  std::vector<Secret> keys;  // of sealed tokens; empty: there are none
  std::string why_no_keys;
  std::vector<auth::JwtIssuerOptions> issuers;
};

struct TokenReport {
  enum class Kind { Neither, Sealed, Jwt };

  Kind kind = Kind::Neither;
  std::string key_id;          // empty: it names none
  boost::json::object header;  // of a JWT, as it is written
  boost::json::object claims;  // of a JWT, verified or not
  bool is_readable = false;    // of a sealed token: a key opens it; of a JWT: its claims are JSON
  auth::Caller caller;         // as it says itself, where it is readable
  std::string access_problem;  // of a JWT: why its access claim makes no sense; empty: it does
  std::optional<WallTime> issued;
  std::optional<WallTime> not_before;
  std::optional<WallTime> expires;

  bool is_accepted = false;
  std::string why_not;
};

TokenReport inspect_token(std::string_view token, TokenChecks checks, const Clock& clock);

// A line for each thing, and as JSON.
std::string to_text(const TokenReport& report, WallTime now);
std::string to_json(const TokenReport& report);

}  // namespace fairlead::control
