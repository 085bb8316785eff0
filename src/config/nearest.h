// SPDX-License-Identifier: Apache-2.0
// nearest_of: the known word that a mistyped one probably meant. Pure.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::config {

// At most two edits away, and fewer than the word has letters; empty: none is that near. The first
// of several.
std::string_view nearest_of(std::span<const std::string_view> known, std::string_view word);

}  // namespace fairlead::config
