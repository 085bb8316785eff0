// SPDX-License-Identifier: Apache-2.0
// Route: a rule that maps what a client names to a repository of a registry.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/actions.h"
#include "routing/delivery.h"

namespace fairlead::routing {

// How the repositories that a route leads to are served.
struct RoutePolicy {
  std::optional<std::chrono::milliseconds> fresh_for;  // of tags; none: as the cache has it
  std::chrono::milliseconds cooldown{0};               // of what tags mean; 0: none
  std::vector<std::string> repositories;  // globs on the registry's own names; empty: all
  std::vector<std::string> deny;          // these not
  std::optional<Ways> deliver;            // none: as the registry has it
  std::optional<StreamTo> stream_to;      // the same

  auth::Actions allow{oci::Action::Pull};  // to anybody at all
  std::optional<auth::Actions>
      anonymous;               // to callers without credentials; none: as for all routes
  bool is_capability = false;  // knowing `match` is the right to pull

  [[nodiscard]] bool admits(std::string_view remote_repository) const;
};

// As configured. Exactly one of the three shapes:
//   match                the client's repository: "alpine" is that one, "bp/" a prefix, "" any
//   host [+ match]       the Host it asked: "ghcr.example.org" or "*.mirror.example.org"
//   name_space           containerd's ?ns=: "docker.io", or "*"
// The `match` of a capability is a secret: it is compared in constant time and never shown.
// `to` is "registry/" + remote prefix (or, for an exact match, the remote repository); "{1}" in it
// is what the "*" stood for.
struct RouteOptions {
  std::optional<std::string> match;
  std::optional<std::string> host;
  std::optional<std::string> name_space;
  std::string to;
  RoutePolicy policy;
  std::size_t line = 0;  // in the configuration file; 0: built in
};

}  // namespace fairlead::routing
