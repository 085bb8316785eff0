// SPDX-License-Identifier: Apache-2.0
#include "routing/route.h"

#include <algorithm>

#include "oci/glob.h"

namespace fairlead::routing {

bool RoutePolicy::admits(std::string_view remote_repository) const {
  const auto matches = [&](const std::string& glob) {
    return oci::matches_glob(glob, remote_repository);
  };
  if (std::ranges::any_of(deny, matches)) return false;
  return repositories.empty() || std::ranges::any_of(repositories, matches);
}

}  // namespace fairlead::routing
