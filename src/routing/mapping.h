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
// by "".
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

 private:
  std::map<std::string, Mapping, std::less<>> mappings_;
};

// `text` with each "{1}" replaced.
std::string substitute(std::string_view text, std::string_view value);

inline constexpr std::string_view kPlaceholder = "{1}";

}  // namespace fairlead::routing
