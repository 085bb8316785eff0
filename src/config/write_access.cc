// SPDX-License-Identifier: Apache-2.0
#include "config/write_access.h"

#include <algorithm>
#include <span>
#include <utility>

#include "oci/glob.h"

namespace fairlead::config {
namespace {

using auth::Actions;
using auth::Rule;
using oci::Action;
using routing::RouteOptions;

constexpr Actions kWriting{Action::Push, Action::Delete};

// Beyond it rules are not compared with each other and with routes: what a person wrote has less,
// and warnings are not worth minutes of a start.
constexpr std::size_t kMaxComparisons = 50'000'000;

// What a rule gives to one of its names, by one of its patterns.
struct Given {
  const Rule* rule;
  std::string_view who;
  std::string_view pattern;
};

// What stands in front of its first star.
std::string_view beginning_of(std::string_view pattern) {
  return pattern.substr(0, pattern.find('*'));
}

// Whether `wide` is known to match all that `narrow` does.
bool covers(std::string_view wide, std::string_view narrow) {
  if (wide == narrow || wide == "**") return true;
  const std::string_view beginning = beginning_of(wide);
  return wide.size() == beginning.size() + 2 && wide.ends_with("**") &&
         beginning_of(narrow).starts_with(beginning);
}

bool is_about(const Rule& rule, std::string_view who) {
  return std::ranges::any_of(rule.who, [&](const std::string& name) {
    return name == who || (name == "*" && who != auth::kAnonymousName);
  });
}

// An earlier rule that decides wherever `given` would; null: none.
const Rule* decided_before(std::span<const Rule> rules, const Given& given) {
  for (const Rule& rule : rules) {
    if (&rule == given.rule) return nullptr;
    if (!is_about(rule, given.who)) continue;
    if (std::ranges::any_of(rule.repositories, [&](const std::string& pattern) {
          return covers(pattern, given.pattern);
        })) {
      return &rule;
    }
  }
  return nullptr;
}

// A route and the pattern of its names.
struct Names {
  const RouteOptions* route;
  std::string pattern;
};

// Whether all names that `pattern` matches, of those that `route` might have, belong to the more
// specific `other`.
bool is_taken_by(const Names& other, const RouteOptions& route, std::string_view pattern) {
  const RouteOptions& taker = *other.route;
  return taker.host == route.host && taker.name_space == route.name_space &&
         taker.match.value_or("").size() > route.match.value_or("").size() &&
         covers(other.pattern, pattern);
}

// The registries that the route may lead to: one, or of those with a `{1}` any.
std::vector<const upstream::RegistryOptions*> registries_of(const Config& config,
                                                            const RouteOptions& route) {
  const std::string name = route.to.substr(0, route.to.find('/'));
  std::vector<const upstream::RegistryOptions*> out;
  for (const upstream::RegistryOptions& registry : config.registries) {
    if (registry.name == name || name.contains("{1}")) out.push_back(&registry);
  }
  return out;
}

class WriteAccess {
 public:
  WriteAccess(const Config& config, Reading& reading)
      : config_(config),
        reading_(reading),
        rules_(config.auth.policy.rules ? std::span<const Rule>(*config.auth.policy.rules)
                                        : std::span<const Rule>()) {
    for (const RouteOptions& route : config.routes) {
      names_.push_back({.route = &route, .pattern = pattern_of(route)});
    }
  }

  void check() {
    for (const RouteOptions& route : config_.routes) check_registry(route);
    if (is_too_much()) return;
    for (const Rule& rule : rules_) check_rule(rule);
    for (const Names& names : names_) check_route(names);
  }

 private:
  [[nodiscard]] bool is_too_much() const {
    std::size_t patterns = 0;
    for (const Rule& rule : rules_) patterns += rule.repositories.size() * rule.who.size();
    return patterns * (patterns + config_.routes.size() * config_.routes.size()) > kMaxComparisons;
  }

  // Whether a rule for `pattern` is about names that the route has.
  [[nodiscard]] bool meets(const Names& names, std::string_view pattern) const {
    return oci::globs_overlap(names.pattern, pattern) &&
           std::ranges::none_of(names_, [&](const Names& other) {
             return is_taken_by(other, *names.route, pattern);
           });
  }

  void warn(std::size_t line, std::string key, std::string text) {
    if (reading_.warnings.size() >= kMaxProblems) return;
    reading_.warnings.push_back({reading_.file, line, std::move(key), std::move(text)});
  }

  [[nodiscard]] std::string key_of(const RouteOptions& route, std::string_view key) const {
    return "routes[" + std::to_string(&route - config_.routes.data()) + "]." + std::string(key);
  }

  // Somebody to write to; and it is worth a word when that is for whoever comes.
  void check_registry(const RouteOptions& route) {
    const Actions open = route.policy.allow & kWriting;
    if (open.empty() || reading_.is_full()) return;
    const std::string name = route.to.substr(0, route.to.find('/'));
    for (const upstream::RegistryOptions* registry : registries_of(config_, route)) {
      if (registry->name != name || !registry->url.empty()) continue;
      reading_.problems.push_back({reading_.file, route.line, key_of(route, "allow"),
                                   "registry " + in_quotes(name) +
                                       " has no url: its bucket is only read, so nothing can be "
                                       "pushed or deleted"});
    }
    const Actions anonymous = open & anonymous_of(route);
    if (!anonymous.empty()) {
      warn(route.line, key_of(route, "allow"),
           "whoever reaches this may " + to_string(anonymous) + " here, without credentials");
    }
    if (open.has(Action::Push) && route.policy.cooldown.count() > 0) {
      warn(route.line, key_of(route, "cooldown"),
           "holds back what is pushed here, too, from everybody, until it is old enough");
    }
  }

  [[nodiscard]] Actions anonymous_of(const RouteOptions& route) const {
    return route.policy.anonymous.value_or(config_.auth.policy.anonymous);
  }

  void check_rule(const Rule& rule) {
    const Actions given = rule.actions & kWriting;
    if (given.empty()) return;
    const std::string key = "auth.rules[" + std::to_string(&rule - rules_.data()) + "]";
    Actions allowed;
    bool is_met = false;
    for (const Names& names : names_) {
      if (std::ranges::any_of(rule.repositories,
                              [&](const std::string& pattern) { return meets(names, pattern); })) {
        is_met = true;
        allowed = allowed | names.route->policy.allow;
      }
    }
    if (!is_met) return;  // said already, of the pattern
    if (const Actions vain = given - allowed; !vain.empty()) {
      warn(rule.line, key, "gives " + to_string(vain) + ", but no route that it matches allows it");
    }
    if (!rule.actions.has(Action::Pull) && (given & allowed).has(Action::Push)) {
      warn(rule.line, key,
           "gives push without pull: clients look first what is there, and fail; no other rule "
           "adds to the first that matches");
    }
    check_turn(rule, key);
  }

  // Of several that match the first decides. One whose turn never comes is left out of live_.
  void check_turn(const Rule& rule, const std::string& key) {
    const Rule* before = nullptr;
    bool is_live = false;
    for (const std::string& who : rule.who) {
      for (const std::string& pattern : rule.repositories) {
        const Given given{.rule = &rule, .who = who, .pattern = pattern};
        if (const Rule* earlier = decided_before(rules_, given)) {
          before = earlier;
          continue;
        }
        is_live = true;
        live_.push_back(given);
      }
    }
    if (is_live || before == nullptr) return;
    if (const Actions lost = (rule.actions & kWriting) - before->actions; !lost.empty()) {
      warn(rule.line, key,
           "gives " + to_string(lost) + ", but the rule on line " + std::to_string(before->line) +
               " matches first, and decides");
    }
  }

  // Whether somebody can do what the route allows.
  void check_route(const Names& names) {
    const RouteOptions& route = *names.route;
    const Actions open = route.policy.allow & kWriting;
    if (open.empty() || route.policy.is_capability) return;
    const Action action = open.has(Action::Push) ? Action::Push : Action::Delete;
    const Actions anonymous = anonymous_of(route);
    if (anonymous.has(Action::Push) && open.has(Action::Push) && !anonymous.has(Action::Pull)) {
      warn(route.line, key_of(route, "allow"),
           "callers without credentials may push and not pull: clients look first what is there, "
           "and fail");
    }
    const auto& auth = config_.auth;
    const auto registries = registries_of(config_, route);
    const bool may_relay = std::ranges::any_of(
        registries, [](const auto* registry) { return registry->relays_credentials; });
    if (anonymous.has(action) || may_relay || !auth.jwt.empty() || is_given(names, action)) return;
    const std::string word(oci::to_string(action));
    warn(route.line, key_of(route, "allow"),
         "nobody can " + word + " here: anonymous does not give it, and " + missing(word));
  }

  [[nodiscard]] bool is_given(const Names& names, Action action) const {
    return std::ranges::any_of(live_, [&](const Given& given) {
      const bool can_come = given.who == auth::kAnonymousName || config_.auth.knows_callers();
      return can_come && given.rule->actions.has(action) && meets(names, given.pattern);
    });
  }

  [[nodiscard]] std::string missing(const std::string& word) const {
    if (!config_.auth.knows_callers()) return "auth has neither users nor jwt";
    if (!config_.auth.policy.rules) return "without auth.rules users may only pull";
    return "no rule gives " + word + " for names of this route";
  }

  const Config& config_;
  Reading& reading_;
  std::span<const Rule> rules_;
  std::vector<Names> names_;
  std::vector<Given> live_;  // of rules that give something to be written
};

}  // namespace

std::string pattern_of(const RouteOptions& route) {
  std::string name = route.name_space.value_or(route.host.value_or(""));
  if (const auto star = name.find('*'); star != std::string::npos) name.replace(star, 1, "**");
  if (!name.empty()) name += "/";
  name += route.match.value_or("");
  if (name.empty() || name.ends_with('/')) name += "**";
  return name;
}

void check_write_access(const Config& config, Reading& reading) {
  WriteAccess(config, reading).check();
}

}  // namespace fairlead::config
