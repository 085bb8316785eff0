// SPDX-License-Identifier: Apache-2.0
// Reads `routes`.
#include <utility>

#include "config/schema.h"
#include "oci/glob.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;
using routing::RouteOptions;

constexpr std::size_t kMaxRoutes = 10'000;
constexpr std::size_t kMaxActions = 16;
constexpr std::size_t kMaxGlobs = 1000;
constexpr std::chrono::hours kMaxDuration{24 * 3650};

void read_allow(const Value& allow) {
  bool pulls = false;
  for (const Value& item : allow.items(kMaxActions)) {
    const auto action = item.text();
    if (!action) return;
    if (*action == "pull") {
      pulls = true;
    } else if (*action == "push" || *action == "delete") {
      item.problem(*action + " " + std::string(kNotBuilt));
    } else {
      item.problem(in_quotes(*action) + " is none of pull, push, delete");
    }
  }
  if (!pulls) allow.problem("must hold pull: a route that allows nothing is no route");
}

std::optional<std::string> read_pattern(Section& route, std::string_view key, bool may_be_empty) {
  const auto value = route.find(key);
  return value ? value->text(may_be_empty) : std::nullopt;
}

void read_globs(Section& route, std::string_view key, std::vector<std::string>& out) {
  const auto globs = route.find(key);
  if (!globs) return;
  for (const Value& item : globs->items(kMaxGlobs)) {
    auto text = item.text();
    if (!text) continue;
    if (!oci::is_repository_glob(*text)) {
      item.problem(in_quotes(*text) +
                   " is no pattern of repository names: lower case, digits, / . _ - and * or **");
      continue;
    }
    out.push_back(*std::move(text));
  }
  if (globs->is_empty_list()) globs->problem("must name at least one repository");
}

RouteOptions read_route(Section& route) {
  RouteOptions out{.line = route.self().line()};
  out.match = read_pattern(route, "match", true);
  out.host = read_pattern(route, "host", false);
  out.name_space = read_pattern(route, "namespace", false);
  out.to = read_pattern(route, "to", false).value_or("");
  if (const auto allow = route.find("allow")) read_allow(*allow);
  read_globs(route, "repositories", out.policy.repositories);
  read_globs(route, "deny", out.policy.deny);
  std::chrono::milliseconds fresh_for{-1};
  route.duration("fresh_for", fresh_for, 0ms, kMaxDuration);
  if (fresh_for >= 0ms) out.policy.fresh_for = fresh_for;
  route.duration("cooldown", out.policy.cooldown, 0ms, kMaxDuration);
  route.not_built({"capability", "deliver"});

  if (!route.find("to")) route.self().problem("has no `to`");
  return out;
}

}  // namespace

void read_routes(const Value& routes, std::vector<RouteOptions>& out) {
  out.clear();
  if (routes.kind() == Node::Kind::Scalar) return routes.problem("must be a list of routes");
  for (const Value& item : routes.items(kMaxRoutes)) {
    item.section([&](Section& route) { out.push_back(read_route(route)); });
  }
  if (routes.is_empty_list()) routes.warning("is empty: no image can be pulled");
}

}  // namespace fairlead::config
