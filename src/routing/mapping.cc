// SPDX-License-Identifier: Apache-2.0
#include "routing/mapping.h"

#include <utility>

#include "oci/name.h"

namespace fairlead::routing {
namespace {

// The next shorter of the prefixes of whole components: "a/b", "a/", "". Not of "".
std::string_view shorter(std::string_view match) {
  if (match.ends_with('/')) match.remove_suffix(1);
  return match.substr(0, match.rfind('/') + 1);  // npos + 1 is 0: ""
}

}  // namespace

const Mapping* MatchTable::add(std::string_view match, Mapping mapping) {
  if (mapping.policy.is_capability) {
    const auto [at, is_new] = capabilities_.try_emplace(hash_.of(match), std::move(mapping));
    return is_new ? nullptr : &at->second;
  }
  const auto [at, is_new] = mappings_.try_emplace(std::string(match), std::move(mapping));
  return is_new ? nullptr : &at->second;
}

std::optional<MatchTable::Found> MatchTable::find(std::string_view repository) const {
  const auto capability = find_capability(repository);
  const auto plain = find_plain(repository);
  return capability ? capability : plain;
}

std::optional<MatchTable::Found> MatchTable::find_capability(std::string_view repository) const {
  if (capabilities_.empty()) return std::nullopt;
  std::optional<Found> found;
  for (std::string_view match = repository; !match.empty(); match = shorter(match)) {
    const auto at = capabilities_.find(hash_.of(match));
    if (at != capabilities_.end() && !found) {
      found = Found{.mapping = &at->second, .remainder = repository.substr(match.size())};
    }
  }
  return found;
}

bool MatchTable::holds_capability(std::string_view text) const {
  // The attack: a path of thousands of components, each prefix of which would be hashed.
  text = text.substr(0, oci::kMaxRepositoryLength + 1);  // the longest match: a prefix
  bool holds = false;
  for (std::string_view match = text; !match.empty() && !capabilities_.empty();
       match = shorter(match)) {
    const bool is_one = capabilities_.contains(hash_.of(match));
    const bool is_one_in_full =
        match.ends_with('/') && capabilities_.contains(hash_.of(match.substr(0, match.size() - 1)));
    holds = holds || is_one || is_one_in_full;
  }
  return holds;
}

std::optional<MatchTable::Found> MatchTable::find_plain(std::string_view repository) const {
  for (std::string_view match = repository;; match = shorter(match)) {
    const auto at = mappings_.find(match);
    if (at != mappings_.end()) {
      return Found{.mapping = &at->second, .remainder = repository.substr(match.size())};
    }
    if (match.empty()) return std::nullopt;
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
