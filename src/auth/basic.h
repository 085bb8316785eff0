// SPDX-License-Identifier: Apache-2.0
// Basic credentials out of an Authorization header (RFC 7617). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"

namespace fairlead::auth {

// Of user name, colon and password together; a JWT as the password has room.
inline constexpr std::size_t kMaxBasicBytes = 4096;

struct BasicCredentials {
  std::string user;  // may be empty; no colon
  Secret password;   // may be empty
};

// Whether `authorization`, a header's value, is of the scheme Basic, in any case.
[[nodiscard]] bool is_basic(std::string_view authorization);

// Strict: one base64 text with its padding, a colon in what it says, and no control character
// (the attacks: a NUL that ends the name for C, a line break for a log). InvalidArgument otherwise,
// which does not quote it. Names are bytes: UTF-8 is neither needed nor normalized.
Result<BasicCredentials> parse_basic(std::string_view authorization);

}  // namespace fairlead::auth
