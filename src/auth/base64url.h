// SPDX-License-Identifier: Apache-2.0
// base64url without padding (RFC 4648, section 5), strictly: every byte sequence has exactly one
// text, so that nobody can write the same token in two ways. Pure; input is hostile.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::auth {

std::string base64url_encode(std::string_view bytes);

// nullopt: a foreign character (padding, white space and the classic alphabet's + and / too), a
// length that no bytes have, or bits set behind the last byte.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace fairlead::auth
