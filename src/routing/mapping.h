// SPDX-License-Identifier: Apache-2.0
// Mapping: the right-hand side of one route, compiled; and MatchTable, the mappings of one scope
// (a host, or all requests that name none) by what they match.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/keyed_hash.h"
#include "routing/route.h"

namespace fairlead::routing {

// `to: registry/remote`, either part of which may hold "{1}".
struct Mapping {
  std::string registry;
  std::string remote;  // ends with '/' or is empty, except for an exact match
  RoutePolicy policy;
  std::size_t line = 0;  // of the route
};

// A repository is matched by itself ("alpine"), by each prefix of whole components ("bp/"), and
// by "". Capabilities go first.
class MatchTable {
 public:
  struct Found {
    const Mapping* mapping;
    std::string_view remainder;  // of the repository, behind what matched
  };

  // The mapping that `match` already has; nullptr when it is new and was added.
  const Mapping* add(std::string_view match, Mapping mapping);

  // Exact first, then the longest prefix.
  [[nodiscard]] std::optional<Found> find(std::string_view repository) const;

  // By what they match; without capabilities.
  [[nodiscard]] const std::map<std::string, Mapping, std::less<>>& plain() const {
    return mappings_;
  }

  // Whether a capability's name is at the beginning of `text`, which need be no repository.
  [[nodiscard]] bool holds_capability(std::string_view text) const;

 private:
  // The attack: guessing a capability letter by letter, by how long a comparison takes. So what
  // is compared is a fingerprint that nobody else can compute, of every prefix, whatever it finds.
  [[nodiscard]] std::optional<Found> find_capability(std::string_view repository) const;
  [[nodiscard]] std::optional<Found> find_plain(std::string_view repository) const;

  std::map<std::string, Mapping, std::less<>> mappings_;
  auth::KeyedHash hash_;
  std::unordered_map<auth::Fingerprint, Mapping, auth::FingerprintHash> capabilities_;
};

// `text` with each "{1}" replaced.
std::string substitute(std::string_view text, std::string_view value);

inline constexpr std::string_view kPlaceholder = "{1}";

}  // namespace fairlead::routing
