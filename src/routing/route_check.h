// SPDX-License-Identifier: Apache-2.0
// What can be wrong with one route by itself, and its compiled form when nothing is.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "routing/mapping.h"
#include "routing/route.h"

namespace fairlead::routing {

// The names of the configured registries, and whether each has official images (router.h).
using RegistryNames = std::map<std::string, bool, std::less<>>;

struct CheckedRoute {
  Mapping mapping;
  std::vector<std::string> problems;  // empty: the mapping can be used
};

// The longest part of a capability's match has this many characters at least: 128 bits in base64,
// without padding.
inline constexpr std::size_t kMinCapability = 22;

CheckedRoute check_route(const RouteOptions& route, const RegistryNames& registries);

// The part of a wildcard host behind the '*': ".mirror.example.org"; empty when it is none.
std::string_view wildcard_suffix(std::string_view host);

std::string to_lower(std::string_view text);

}  // namespace fairlead::routing
