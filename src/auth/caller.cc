// SPDX-License-Identifier: Apache-2.0
#include "auth/caller.h"

#include <algorithm>

namespace fairlead::auth {

const RelayedLogin* Caller::relayed_to(std::string_view registry,
                                       std::string_view repository) const {
  const auto found = std::ranges::find_if(relayed, [&](const RelayedLogin& login) {
    return login.registry == registry && login.repository == repository;
  });
  return found == relayed.end() ? nullptr : &*found;
}

}  // namespace fairlead::auth
