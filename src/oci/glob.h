// SPDX-License-Identifier: Apache-2.0
// Patterns for repository names and tags. Pure.
//
//   *    any characters but `/`, also none
//   **   any characters, also none
//
// All else stands for itself: "team/*" is "team/app" but not "team/app/web", "team/**" is both,
// "team" is neither's.
#pragma once

#include <string_view>

namespace fairlead::oci {

// In time and memory bounded by pattern times text, whatever the pattern.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

// Whether some text matches both. Bounded by the product of their lengths.
[[nodiscard]] bool globs_overlap(std::string_view a, std::string_view b);

// Whether it could match any name: only characters of names and tags, `/` and `*`.
[[nodiscard]] bool is_repository_glob(std::string_view pattern);
[[nodiscard]] bool is_tag_glob(std::string_view pattern);

}  // namespace fairlead::oci
