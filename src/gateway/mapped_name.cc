// SPDX-License-Identifier: Apache-2.0
#include "gateway/mapped_name.h"

#include <cstddef>

namespace fairlead::gateway {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

// A name ends before "/tag", but is not a part of "x/name" or "name-x".
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && (is_name_character(text[begin - 1]) || text[begin - 1] == '/')) return false;
  if (end == text.size()) return true;
  const bool is_full_stop = text[end] == '.' && (end + 1 == text.size() || text[end + 1] == ' ');
  return is_full_stop || (!is_name_character(text[end]) && text[end] != '/');
}

}  // namespace

std::string rename_in_text(std::string_view text, std::string_view from, std::string_view to) {
  std::string renamed;
  std::size_t done = 0;
  for (std::size_t at = from.empty() ? std::string_view::npos : text.find(from);
       at != std::string_view::npos; at = text.find(from, at + from.size())) {
    if (!stands_alone(text, at, at + from.size())) continue;
    renamed.append(text.substr(done, at - done)).append(to);
    done = at + from.size();
  }
  return renamed.append(text.substr(done));
}

}  // namespace fairlead::gateway
