// SPDX-License-Identifier: Apache-2.0
// PASETO v4.local: a message encrypted and authenticated with one key.
// (https://github.com/paseto-standard/paseto-spec, Version4)
//
//   v4.local.base64url(nonce || ciphertext || mac)[.base64url(footer)]
//
// The footer can be read by everybody and changed by nobody. The implicit assertion is not in the
// token: it says what the token is for, and both sides must mean the same. Pure; input is hostile.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "auth/local_key.h"
#include "base/error.h"

namespace fairlead::auth::paseto {

inline constexpr std::string_view kHeader = "v4.local.";
inline constexpr std::size_t kMaxToken = 64 * 1024;  // bytes; longer ones are not opened

using Nonce = std::array<unsigned char, 32>;

std::string seal(const LocalKey& key, std::string_view message, std::string_view footer,
                 std::string_view implicit);

// With a nonce that is given, for test vectors. Any other use of a nonce twice shows how two
// messages differ.
std::string seal_with_nonce(const LocalKey& key, const Nonce& nonce, std::string_view message,
                            std::string_view footer, std::string_view implicit);

struct Opened {
  std::string message;
  std::string footer;
};

// Errors: client's Unauthorized.
Result<Opened> open(const LocalKey& key, std::string_view token, std::string_view implicit);

// What the token says its footer is, which is for choosing a key and proves nothing; empty when it
// has none. Errors: client's Unauthorized, for what is no v4.local token by its form.
Result<std::string> footer_of(std::string_view token);

}  // namespace fairlead::auth::paseto
