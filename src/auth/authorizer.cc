// SPDX-License-Identifier: Apache-2.0
#include "auth/authorizer.h"

namespace fairlead::auth {
namespace {

std::unexpected<Refusal> refuse(Refusal::Kind kind, std::string message) {
  return std::unexpected(Refusal{.kind = kind, .message = std::move(message)});
}

}  // namespace

std::expected<Grant, Refusal> authorize(const Policy& policy, const Caller& caller,
                                        const Wish& wish) {
  const std::string action(oci::to_string(wish.action));
  if (!wish.route_allows.has(wish.action)) {
    // What there is, and what it is for, is not for those to know who may see nothing of it.
    const bool may_see =
        caller.is_identified() || wish.is_capability ||
        policy.decide(caller, wish.repository, wish.route_anonymous).actions.has(oci::Action::Pull);
    if (!may_see) return refuse(Refusal::Kind::NoCaller, "authentication required");
    return refuse(Refusal::Kind::Denied, "this is read-only here: " + action + " is not allowed");
  }
  if (wish.is_capability) return Grant{};
  if (wish.relayed != nullptr && wish.relayed->actions.has(wish.action)) return Grant{};
  // Whom an upstream knows is not to be taken for a stranger there, for want of the right token.
  const bool is_stranger_there = wish.is_relayed && caller.kind == Caller::Kind::Relayed;
  if (!is_stranger_there &&
      policy.decide(caller, wish.repository, wish.route_anonymous).actions.has(wish.action)) {
    return Grant{};
  }
  if (!caller.is_identified()) {
    return refuse(Refusal::Kind::NoCaller, "authentication required");
  }
  // A sealed token holds what was decided of what it was asked for, and nothing of the rest.
  const bool is_bound = caller.is_sealed && caller.access;
  const bool was_asked = !is_bound || caller.access->refused(wish.repository).has(wish.action);
  if (!was_asked) {
    return refuse(Refusal::Kind::OtherScope, "the token is not for this repository or action");
  }
  return refuse(Refusal::Kind::Denied, "you may not " + action + " here");
}

}  // namespace fairlead::auth
