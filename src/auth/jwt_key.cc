// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt_key.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fairlead::auth {
namespace {

constexpr std::array<std::pair<JwtAlgorithm, std::string_view>, 8> kNames{{
    {JwtAlgorithm::HS256, "HS256"},
    {JwtAlgorithm::HS384, "HS384"},
    {JwtAlgorithm::HS512, "HS512"},
    {JwtAlgorithm::RS256, "RS256"},
    {JwtAlgorithm::RS384, "RS384"},
    {JwtAlgorithm::RS512, "RS512"},
    {JwtAlgorithm::ES256, "ES256"},
    {JwtAlgorithm::ES384, "ES384"},
}};

}  // namespace

std::string_view to_string(JwtAlgorithm algorithm) {
  return kNames.at(static_cast<std::size_t>(algorithm)).second;
}

std::optional<JwtAlgorithm> parse_jwt_algorithm(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, [](const auto& item) { return item.second; });
  if (found == kNames.end()) return std::nullopt;
  return found->first;
}

}  // namespace fairlead::auth
