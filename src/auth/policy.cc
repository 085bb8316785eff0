// SPDX-License-Identifier: Apache-2.0
#include "auth/policy.h"

#include <algorithm>

#include "oci/glob.h"
#include "oci/name_prefix.h"

namespace fairlead::auth {
namespace {

constexpr std::string_view kAnyName = "**";

const Caller& nobody_known() {
  static const Caller kNobody;
  return kNobody;
}

}  // namespace

// The attack: a JWT whose subject is "anonymous" or "*" is somebody of that name, no more.
bool Rule::is_for(const Caller& caller) const {
  return std::ranges::any_of(who, [&](const std::string& name) {
    if (name == kAnonymousName) return !caller.is_identified();
    if (!caller.is_identified() || caller.kind == Caller::Kind::Relayed) return false;
    return name == "*" || name == caller.name;
  });
}

bool Rule::matches(std::string_view repository) const {
  return std::ranges::any_of(
      repositories, [&](const std::string& glob) { return oci::matches_glob(glob, repository); });
}

const Rule* Policy::first_rule(const Caller& caller, std::string_view repository) const {
  if (!options_.rules) return nullptr;
  const auto found = std::ranges::find_if(*options_.rules, [&](const Rule& rule) {
    return rule.is_for(caller) && rule.matches(repository);
  });
  return found == options_.rules->end() ? nullptr : &*found;
}

Decision Policy::decide_anonymous(std::string_view repository,
                                  std::optional<Actions> of_route) const {
  if (const Rule* rule = first_rule(nobody_known(), repository)) {
    return {.actions = rule->actions, .basis = Decision::Basis::Rule, .rule = rule};
  }
  const Actions actions = of_route.value_or(options_.anonymous);
  return {.actions = actions,
          .basis = actions.empty() ? Decision::Basis::Nothing : Decision::Basis::Anonymous};
}

Decision Policy::decide(const Caller& caller, std::string_view repository,
                        std::optional<Actions> of_route) const {
  Decision anonymous = decide_anonymous(repository, of_route);
  if (!caller.is_identified()) return anonymous;
  if (caller.access) {
    const Actions given = caller.access->allowed(repository);
    // A sealed token holds what was decided when it was asked for; that may be less than what
    // callers without credentials have.
    const bool is_decided =
        caller.is_sealed && !(given | caller.access->refused(repository)).empty();
    if (is_decided) return {.actions = given, .basis = Decision::Basis::AccessList};
    if (given.empty()) return anonymous;
    return {.actions = given | anonymous.actions, .basis = Decision::Basis::AccessList};
  }
  if (caller.kind == Caller::Kind::Relayed) return anonymous;
  if (const Rule* rule = first_rule(caller, repository)) {
    return {.actions = rule->actions, .basis = Decision::Basis::Rule, .rule = rule};
  }
  if (!options_.rules) {
    return {.actions = Actions{oci::Action::Pull} | anonymous.actions,
            .basis = Decision::Basis::Identified};
  }
  return anonymous;
}

// What the rules for `caller` give. False: they decide on all names, so that nothing else does.
bool Policy::add_prefixes(const Caller& caller, std::vector<std::string>& out) const {
  if (!options_.rules) return true;
  for (const Rule& rule : *options_.rules) {
    if (!rule.is_for(caller)) continue;
    if (rule.actions.has(oci::Action::Pull)) {
      for (const std::string& glob : rule.repositories) out.emplace_back(oci::literal_prefix(glob));
    }
    const auto& globs = rule.repositories;
    if (std::ranges::find(globs, kAnyName) != globs.end()) return false;
  }
  return true;
}

Prospect Policy::prospect_of(const Caller& caller) const {
  std::vector<std::string> prefixes;
  bool falls_back = true;
  if (caller.access) {
    for (const Access& entry : caller.access->entries()) {
      if (entry.actions.has(oci::Action::Pull)) prefixes.push_back(entry.name);
    }
  } else if (caller.is_identified() && caller.kind != Caller::Kind::Relayed) {
    if (!options_.rules) prefixes.emplace_back();
    falls_back = add_prefixes(caller, prefixes);
  }
  if (falls_back) falls_back = add_prefixes(nobody_known(), prefixes);
  return {.prefixes = oci::outermost(std::move(prefixes)),
          .falls_back = falls_back,
          .anonymous = options_.anonymous};
}

}  // namespace fairlead::auth
