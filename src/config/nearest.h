// SPDX-License-Identifier: Apache-2.0
// nearest_of: the known word that a mistyped one probably meant. Pure.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::config {

// At most two edits away, and fewer than the word has letters, the first of several. Else the one
// that begins like it: with the whole word ("stale", "stale_if_error"), or all but the last letter
// of the candidate ("denied", "deny"); three letters at least, and no other as well. Empty: none.
std::string_view nearest_of(std::span<const std::string_view> known, std::string_view word);

}  // namespace fairlead::config
