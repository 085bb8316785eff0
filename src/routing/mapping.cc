// SPDX-License-Identifier: Apache-2.0
#include "routing/mapping.h"

#include <utility>

namespace fairlead::routing {

const Mapping* MatchTable::add(std::string_view match, Mapping mapping) {
  const auto [at, is_new] = mappings_.try_emplace(std::string(match), std::move(mapping));
  return is_new ? nullptr : &at->second;
}

std::optional<MatchTable::Found> MatchTable::find(std::string_view repository) const {
  std::string_view match = repository;
  while (true) {
    const auto at = mappings_.find(match);
    if (at != mappings_.end()) {
      return Found{.mapping = &at->second, .remainder = repository.substr(match.size())};
    }
    if (match.empty()) return std::nullopt;
    if (match.ends_with('/')) match.remove_suffix(1);
    match = match.substr(0, match.rfind('/') + 1);  // npos + 1 is 0: ""
  }
}

std::string substitute(std::string_view text, std::string_view value) {
  std::string result;
  while (true) {
    const std::size_t at = text.find(kPlaceholder);
    result += text.substr(0, at);
    if (at == std::string_view::npos) return result;
    result += value;
    text.remove_prefix(at + kPlaceholder.size());
  }
}

}  // namespace fairlead::routing
