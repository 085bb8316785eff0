// SPDX-License-Identifier: Apache-2.0
// Caller: who a request is from, as far as their credentials have shown.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/access_list.h"
#include "base/clock.h"
#include "base/secret.h"

namespace fairlead::auth {

// What an upstream gave for the caller's own credentials: the Authorization to show it, for one
// of its repositories. Never shown to anybody else, and never to a client.
struct RelayedLogin {
  std::string registry;    // configured name
  std::string repository;  // the registry's own name for it
  Actions actions;         // that were asked for and may be tried; the upstream has the last word
  Secret authorization;    // value of the header: "Bearer ...", "Basic ..."

  friend bool operator==(const RelayedLogin&, const RelayedLogin&) = default;
};

struct Caller {
  enum class Kind {
    Anonymous,
    User,     // of the htpasswd file
    Issued,   // by an outside issuer's JWT; `name` is its subject, which may be empty
    Relayed,  // known to an upstream, as it says; `name` is only theirs, no rule means it
  };

  Kind kind = Kind::Anonymous;
  std::string name;

  // What their token gives. Of a JWT: its access list, nullopt where it has none and rules decide.
  std::optional<AccessList> access;

  // They came with a sealed token: `access` is all that was decided when it was made, what it does
  // not mention was not asked for.
  bool is_sealed = false;

  std::vector<RelayedLogin> relayed;  // only in sealed tokens

  // Nothing of this holds any longer then.
  WallTime expires = WallTime::max();

  // Their login to that repository; nullptr: none.
  [[nodiscard]] const RelayedLogin* relayed_to(std::string_view registry,
                                               std::string_view repository) const;

  [[nodiscard]] bool is_identified() const { return kind != Kind::Anonymous; }
};

// By whom is decided what of the catalog a caller sees. A sealed token that was asked for to see it
// stands for its caller there, and nowhere else.
Caller reader_of_catalog(const Caller& caller);

// For logs and limits: "alice", "jwt:ci", "relayed:bob"; empty: anonymous.
std::string label_of(const Caller& caller);

using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace fairlead::auth
