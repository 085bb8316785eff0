// SPDX-License-Identifier: Apache-2.0
// authorize(): may this caller do this? Asked of every operation before anything is looked up,
// so that whether something exists or is cached tells nobody anything.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "auth/actions.h"
#include "auth/caller.h"
#include "auth/policy.h"
#include "oci/operation.h"

namespace fairlead::auth {

// What is asked for: a qualified name, and what its route says of who may.
struct Wish {
  std::string_view repository;
  oci::Action action = oci::Action::Pull;
  Actions route_allows{oci::Action::Pull};   // for anybody
  std::optional<Actions> route_anonymous{};  // instead of what all routes have
  bool is_capability = false;                // whoever knows the name may pull
  bool is_relayed = false;                   // it is the upstream's to know callers
  const RelayedLogin* relayed = nullptr;     // the caller's own, to this very repository
};

struct Refusal {
  enum class Kind {
    NoCaller,    // credentials might help
    OtherScope,  // a token that was asked for this might help
    Denied,      // nothing helps
  };
  Kind kind = Kind::Denied;
  std::string message;
};

// The proof that an operation was authorized. Only authorize() makes one, and what hands out
// content asks for it.
class Grant {
 private:
  friend std::expected<Grant, Refusal> authorize(const Policy& policy, const Caller& caller,
                                                 const Wish& wish);
  Grant() = default;
};

[[nodiscard]] std::expected<Grant, Refusal> authorize(const Policy& policy, const Caller& caller,
                                                      const Wish& wish);

}  // namespace fairlead::auth
