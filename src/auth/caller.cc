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

Caller reader_of_catalog(const Caller& caller) {
  const bool is_asked_for = caller.is_sealed && caller.access &&
                            caller.access->allowed(kCatalogName).has(oci::Action::Pull);
  if (!is_asked_for) return caller;
  return {.kind = caller.kind, .name = caller.name, .access = {}, .relayed = {}};
}

std::string label_of(const Caller& caller) {
  switch (caller.kind) {
    case Caller::Kind::Anonymous:
      return {};
    case Caller::Kind::User:
      return caller.name;
    case Caller::Kind::Issued:
      return caller.name.empty() ? "jwt" : "jwt:" + caller.name;
    case Caller::Kind::Relayed:
      return caller.name.empty() ? "relayed" : "relayed:" + caller.name;
  }
  return {};
}

}  // namespace fairlead::auth
