// SPDX-License-Identifier: Apache-2.0
#include "gateway/condition.h"

namespace fairlead::gateway {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string entity_tag(const oci::Digest& digest) { return '"' + digest.str() + '"'; }

bool matches_any(std::string_view if_none_match, std::string_view entity_tag) {
  while (!if_none_match.empty()) {
    const std::size_t comma = if_none_match.find(',');
    std::string_view tag = trim(if_none_match.substr(0, comma));
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == entity_tag) return true;
    if (comma == std::string_view::npos) break;
    if_none_match.remove_prefix(comma + 1);
  }
  return false;
}

bool allows_range(std::string_view if_range, std::string_view entity_tag) {
  return if_range.empty() || trim(if_range) == entity_tag;
}

}  // namespace fairlead::gateway
