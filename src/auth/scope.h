// SPDX-License-Identifier: Apache-2.0
// Scope: one thing that a token is asked for (distribution's token scopes):
//
//   repository:team/app:pull,push
//   repository(plugin):team/app:pull
//   repository:localhost:5000/team/app:pull      a name may hold a port: the actions are behind the
//                                                last colon, the type before the first
// Pure; input is hostile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/actions.h"

namespace fairlead::auth {

struct Scope {
  std::string type;  // "repository"; its class, "(plugin)", is dropped
  std::string name;  // as the client calls it
  Actions actions;   // those that we know

  [[nodiscard]] bool is_repository() const { return type == "repository"; }
  // "registry:catalog:*"
  [[nodiscard]] bool is_catalog() const { return type == "registry" && name == "catalog"; }
};

inline constexpr std::size_t kMaxScopes = 100;

// nullopt: it has not that form.
std::optional<Scope> parse_scope(std::string_view text);

// Those of a space-separated list, added to `out`. False: one has not that form, or there are more
// than kMaxScopes.
bool parse_scopes(std::string_view list, std::vector<Scope>& out);

// "repository:team/app:pull"
std::string write_scope(std::string_view repository, Actions actions);

inline constexpr std::string_view kCatalogScope = "registry:catalog:*";

}  // namespace fairlead::auth
