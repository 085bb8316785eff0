// SPDX-License-Identifier: Apache-2.0
// What `fairlead token issue` makes: a JWT that an entry of auth.jwt accepts, or a sealed token.
// Pure. An error is a sentence for who typed the command.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/access_list.h"
#include "auth/jwt_issuers.h"
#include "auth/sealed_token.h"
#include "base/clock.h"
#include "base/secret.h"

namespace fairlead::control {

// As typed; what is empty was not.
struct TokenWish {
  std::string subject;
  std::vector<std::string>
      repositories;            // "team/app"; "team/**" or "team/": it and all below; "**"
  std::string actions;         // "pull,push"; empty: pull
  std::string lifetime{"1h"};  // as the configuration writes durations
  bool is_sealed = false;

  // Of JWTs only.
  std::string algorithm;
  std::string kid;
  std::string issuer;
  std::string audience;
  std::string form;  // "distribution", "repositories"; empty: whichever can say it
};

struct IssuedToken {
  std::string token;
  std::string warning;  // empty: none
};

using Issued = std::expected<IssuedToken, std::string>;

inline constexpr std::chrono::hours kMaxTokenLifetime{24 * 3650};

// A request's head, where it also stands as the password of a Basic header, has 32 KiB.
inline constexpr std::size_t kMaxIssuedToken = 20 * 1024;

// nullopt: no repositories are named, the gateway's rules decide by the subject.
std::expected<std::optional<auth::AccessList>, std::string> read_wanted_access(
    const TokenWish& wish);

Issued issue_sealed_token(const TokenWish& wish, const auth::SealedTokens& tokens, WallTime now);

// Signed with `own_key`, or without one with the first key of `issuers` that can. What the wish
// does not say of issuer and audience is that of the entry which has the key.
Issued issue_jwt(const TokenWish& wish, const std::vector<auth::JwtIssuerOptions>& issuers,
                 const std::optional<Secret>& own_key, WallTime now);

}  // namespace fairlead::control
