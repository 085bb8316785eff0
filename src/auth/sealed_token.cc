// SPDX-License-Identifier: Apache-2.0
#include "auth/sealed_token.h"

#include <algorithm>

#include "auth/paseto.h"
#include "auth/token_payload.h"

namespace fairlead::auth {

bool is_sealed_token(std::string_view text) { return text.starts_with(paseto::kHeader); }

Result<std::string> SealedTokens::seal(const Caller& caller, WallTime issued,
                                       WallTime expires) const {
  const std::string payload =
      write_token_payload(caller, issued, std::min(expires, caller.expires));
  if (auto read = read_token_payload(payload); !read) {
    Error error = std::move(read.error());
    error.code = Code::InvalidArgument;
    return std::unexpected(std::move(error).within("no token can be made"));
  }
  std::string token = keys_.seal(payload, kSealedTokenAssertion);
  if (token.size() > paseto::kMaxToken) {
    return client_error(Code::TooLarge, "no token can be made: it would be longer than " +
                                            std::to_string(paseto::kMaxToken) + " bytes");
  }
  return token;
}

Result<Caller> SealedTokens::open(std::string_view token, WallTime now) const {
  const auto text = keys_.open(token, kSealedTokenAssertion);
  if (!text) return std::unexpected(text.error());
  auto payload = read_token_payload(*text);
  if (!payload) return std::unexpected(std::move(payload.error()));
  if (payload->caller.expires <= now) {
    return client_error(Code::Unauthorized, "the token has expired");
  }
  // The attack: a gateway whose clock is years ahead would make tokens that hold for years.
  if (payload->issued > now + kClockSkew) {
    return client_error(Code::Unauthorized,
                        "the token is from the future; do all gateways' clocks agree?");
  }
  return std::move(payload->caller);
}

}  // namespace fairlead::auth
