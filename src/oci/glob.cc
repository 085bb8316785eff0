// SPDX-License-Identifier: Apache-2.0
#include "oci/glob.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace fairlead::oci {
namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_punctuation(char c) { return c == '.' || c == '_' || c == '-'; }

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  // ends[i]: what was read of the pattern so far matches the first i characters.
  std::string ends(text.size() + 1, '\0');
  ends[0] = 1;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    const bool is_star = pattern[p] == '*';
    const bool is_any = is_star && pattern.substr(p).starts_with("**");
    if (is_any) ++p;
    if (is_star) {
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (ends[i] != 0 && (is_any || text[i] != '/')) ends[i + 1] = 1;
      }
      continue;
    }
    for (std::size_t i = text.size(); i > 0; --i) {
      ends[i] = ends[i - 1] != 0 && text[i - 1] == pattern[p] ? 1 : 0;
    }
    ends[0] = 0;
  }
  return ends.back() != 0;
}

bool is_repository_glob(std::string_view pattern) {
  return !pattern.empty() && !pattern.starts_with('/') && !pattern.ends_with('/') &&
         !pattern.contains("//") && std::ranges::all_of(pattern, [](char c) {
           return is_lower_or_digit(c) || is_punctuation(c) || c == '/' || c == '*';
         });
}

bool is_tag_glob(std::string_view pattern) {
  return !pattern.empty() && std::ranges::all_of(pattern, [](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || is_punctuation(c) || c == '*';
  });
}

}  // namespace fairlead::oci
