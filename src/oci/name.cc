// SPDX-License-Identifier: Apache-2.0
#include "oci/name.h"

#include <algorithm>

namespace fairlead::oci {
namespace {

bool is_lower_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_tag_character(char c) {
  return is_lower_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
}

// What may stand between two runs of letters and digits: (\.|_|__|-+)
bool is_separator(std::string_view text) {
  return text == "." || text == "_" || text == "__" ||
         text.find_first_not_of('-') == std::string_view::npos;
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_alphanumeric(text.front()) || !is_lower_alphanumeric(text.back())) {
    return false;
  }
  auto at = text.begin();
  while (at != text.end()) {
    const auto separator = std::find_if_not(at, text.end(), is_lower_alphanumeric);
    at = std::find_if(separator, text.end(), is_lower_alphanumeric);
    if (separator != at && !is_separator({separator, at})) return false;
  }
  return true;
}

}  // namespace

bool is_repository_name(std::string_view text) {
  if (text.size() > kMaxRepositoryLength) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_path_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTagLength && text.front() != '.' &&
         text.front() != '-' && std::ranges::all_of(text, is_tag_character);
}

}  // namespace fairlead::oci
