// SPDX-License-Identifier: Apache-2.0
#include "auth/scope.h"

#include <algorithm>

namespace fairlead::auth {
namespace {

constexpr std::size_t kMaxType = 64;
constexpr std::size_t kMaxName = 512;

// Words that we do not know are legal, and give nothing.
Actions read_actions(std::string_view list) {
  Actions actions;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    actions = actions | parse_action(list.substr(0, comma)).value_or(Actions{});
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return actions;
}

}  // namespace

std::optional<Scope> parse_scope(std::string_view text) {
  const auto first = text.find(':');
  const auto last = text.rfind(':');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  std::string_view type = text.substr(0, first);
  if (type.ends_with(')')) type = type.substr(0, type.find('('));
  const std::string_view name = text.substr(first + 1, last - first - 1);
  if (type.empty() || type.size() > kMaxType || name.empty() || name.size() > kMaxName) {
    return std::nullopt;
  }
  return Scope{.type = std::string(type),
               .name = std::string(name),
               .actions = read_actions(text.substr(last + 1))};
}

bool parse_scopes(std::string_view list, std::vector<Scope>& out) {
  while (!list.empty()) {
    const auto space = std::min(list.find(' '), list.size());
    const std::string_view text = list.substr(0, space);
    list.remove_prefix(std::min(space + 1, list.size()));
    if (text.empty()) continue;
    auto scope = parse_scope(text);
    if (!scope || out.size() >= kMaxScopes) return false;
    out.push_back(*std::move(scope));
  }
  return true;
}

std::string write_scope(std::string_view repository, Actions actions) {
  return "repository:" + std::string(repository) + ":" + to_string(actions);
}

}  // namespace fairlead::auth
