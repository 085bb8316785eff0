// SPDX-License-Identifier: Apache-2.0
// SealedTokens: the tokens that the gateway gives its own clients. A caller and all that was
// decided for them, sealed so that clients can neither read nor change it (PASETO v4.local), and
// so that every gateway with the same keys understands it without asking anybody.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "auth/caller.h"
#include "auth/token_keys.h"
#include "base/clock.h"
#include "base/error.h"

namespace fairlead::auth {

// What the tokens are for, authenticated with each: nothing else that is sealed with the same key
// is taken for one.
inline constexpr std::string_view kSealedTokenAssertion = "fairlead token v1";

// How far ahead another gateway's clock may be.
inline constexpr std::chrono::seconds kClockSkew{60};

// By its form alone.
[[nodiscard]] bool is_sealed_token(std::string_view text);

// Thread-safe once made.
class SealedTokens {
 public:
  explicit SealedTokens(TokenKeys keys) : keys_(std::move(keys)) {}

  // Holds until `expires` or caller.expires, whichever is sooner, in whole seconds. Errors, for
  // callers that would not be opened again: client's InvalidArgument (a field is too large or no
  // UTF-8) or TooLarge (all of it, for a token of paseto::kMaxToken).
  [[nodiscard]] Result<std::string> seal(const Caller& caller, WallTime issued,
                                         WallTime expires) const;

  // The caller that was sealed, now `is_sealed` and with `expires` set. Errors: client's
  // Unauthorized, for what is malformed, changed, of a key that is not known, expired, or from the
  // future.
  [[nodiscard]] Result<Caller> open(std::string_view token, WallTime now) const;

 private:
  TokenKeys keys_;
};

}  // namespace fairlead::auth
