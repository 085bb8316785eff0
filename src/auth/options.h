// SPDX-License-Identifier: Apache-2.0
// AuthOptions: who may, as configured.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "auth/jwt_issuers.h"
#include "auth/policy.h"
#include "base/secret.h"

namespace fairlead::auth {

struct AuthOptions {
  std::vector<Secret> keys;  // of sealed tokens, 64 hex digits each; empty: one is made and kept
  std::chrono::milliseconds token_ttl{std::chrono::minutes(5)};
  std::string users;  // htpasswd file; empty: none
  std::vector<JwtIssuerOptions> jwt;
  PolicyOptions policy;
  bool is_open_by_default = true;  // nobody has said what callers without credentials may

  // Whether there is anything that a caller could show.
  [[nodiscard]] bool knows_callers() const { return !users.empty() || !jwt.empty(); }
};

}  // namespace fairlead::auth
