// SPDX-License-Identifier: Apache-2.0
// TokenRequest: what a client asks of the token service.
//
//   GET /token?service=...&scope=...&scope=...&account=...       distribution's token
//   specification;
//       Authorization: Basic ...                                 the credentials, if any
//   POST /token  grant_type=password&username=...&password=...   its OAuth2 form; one `scope` with
//                grant_type=refresh_token&refresh_token=...      spaces
//
// Pure; input is hostile.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scope.h"
#include "base/secret.h"

namespace fairlead::auth {

inline constexpr std::size_t kMaxTokenForm = 64 * 1024;  // bytes of a POST's body

struct TokenRequest {
  std::string service;
  std::vector<Scope> scopes;

  // Of a POST.
  std::optional<std::string> username;
  Secret password;
  Secret refresh_token;
};

// Errors say what is wrong with the request, and never quote it.
std::expected<TokenRequest, std::string> parse_token_query(std::string_view query);
std::expected<TokenRequest, std::string> parse_token_form(std::string_view body);

}  // namespace fairlead::auth
