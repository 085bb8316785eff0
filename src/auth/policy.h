// SPDX-License-Identifier: Apache-2.0
// Policy: what a caller may do with a repository, as the configuration has it. Pure.
//
//   anonymous        the first rule for `anonymous` that matches, else the route's own word, else
//                    that of all routes
//   user, or a JWT   the first rule for them or "*" that matches, else what anonymous callers may;
//   without a list   where no rules are configured at all: pull
//   a token with     what the list gives, and what anonymous callers may; of a sealed token, what
//   an access list   was decided when it was made
//
// Names are qualified (docs/glossary.md).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/actions.h"
#include "auth/caller.h"

namespace fairlead::auth {

inline constexpr std::string_view kAnonymousName = "anonymous";

struct Rule {
  std::vector<std::string> who;           // names, "*" for whoever is identified, "anonymous"
  std::vector<std::string> repositories;  // globs (oci/glob.h)
  Actions actions;                        // may be none
  std::size_t line = 0;                   // in the configuration file; 0: not from there

  [[nodiscard]] bool is_for(const Caller& caller) const;
  [[nodiscard]] bool matches(std::string_view repository) const;
};

struct PolicyOptions {
  Actions anonymous{oci::Action::Pull};
  std::optional<std::vector<Rule>> rules;  // nullopt: none are configured
};

struct Decision {
  enum class Basis {
    Nothing,     // no rule matched
    Rule,        // `rule`
    AccessList,  // of the token
    Anonymous,   // what callers without credentials may
    Identified,  // there are no rules: who is known may pull
  };
  Actions actions;
  Basis basis = Basis::Nothing;
  const Rule* rule = nullptr;
};

// Where a caller may pull something, as far as can be told without a name. What lies elsewhere is
// refused for sure; of what lies here decide() has to be asked.
struct Prospect {
  std::vector<std::string> prefixes;  // of qualified names; sorted, none begins with another
  bool falls_back = true;             // on what the route, or `anonymous`, says for the rest
  Actions anonymous{};                // of all routes

  // Whether that is anywhere on a route that says `of_route`.
  [[nodiscard]] bool is_open(std::optional<Actions> of_route) const {
    return falls_back && of_route.value_or(anonymous).has(oci::Action::Pull);
  }
};

// Immutable; thread-safe.
class Policy {
 public:
  explicit Policy(PolicyOptions options) : options_(std::move(options)) {}

  // `of_route`: what the route says anonymous callers may; nullopt: it says nothing.
  [[nodiscard]] Decision decide(const Caller& caller, std::string_view repository,
                                std::optional<Actions> of_route = std::nullopt) const;

  [[nodiscard]] Prospect prospect_of(const Caller& caller) const;

 private:
  [[nodiscard]] Decision decide_anonymous(std::string_view repository,
                                          std::optional<Actions> of_route) const;
  [[nodiscard]] const Rule* first_rule(const Caller& caller, std::string_view repository) const;
  [[nodiscard]] bool add_prefixes(const Caller& caller, std::vector<std::string>& out) const;

  PolicyOptions options_;
};

}  // namespace fairlead::auth
