// SPDX-License-Identifier: Apache-2.0
// Reads `routes`.
#include <utility>

#include "config/bucket_section.h"
#include "config/schema.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;
using routing::RouteOptions;

constexpr std::size_t kMaxRoutes = 10'000;
constexpr std::chrono::hours kMaxDuration{24 * 3650};

// Without pull nothing else comes to anything: clients look first what is there already.
void read_allow(const Value& allow, auth::Actions& out) {
  const auto actions = read_actions(allow, "");
  if (!actions) return;
  if (actions->empty()) return allow.problem("is empty: a route allows pull at least");
  if (!actions->has(oci::Action::Pull)) {
    return allow.problem("needs pull as well, for clients look first what is there: write [pull," +
                         to_string(*actions) + "]");
  }
  out = *actions;
}

std::optional<std::string> read_pattern(Section& route, std::string_view key, bool may_be_empty) {
  const auto value = route.find(key);
  return value ? value->text(may_be_empty) : std::nullopt;
}

void read_globs(Section& route, std::string_view key, std::vector<std::string>& out) {
  if (const auto globs = route.find(key)) out = read_globs(*globs);
}

// The attack: who finds out the name of a capability has what lies behind it; so it gives no more
// than what the route would give anyhow.
void read_capability(Section& route, RouteOptions& out) {
  const auto capability = route.find("capability");
  out.policy.is_capability = capability && capability->boolean().value_or(false);
  if (!out.policy.is_capability) return;
  if (out.policy.allow != auth::Actions{oci::Action::Pull}) {
    capability->problem("is for pulling: allow cannot hold more");
  }
  if (out.policy.anonymous) {
    capability->problem("and anonymous exclude each other: whoever knows the name may pull");
  }
}

RouteOptions read_route(Section& route) {
  RouteOptions out{.line = route.self().line()};
  out.match = read_pattern(route, "match", true);
  out.host = read_pattern(route, "host", false);
  out.name_space = read_pattern(route, "namespace", false);
  out.to = read_pattern(route, "to", false).value_or("");
  if (const auto allow = route.find("allow")) read_allow(*allow, out.policy.allow);
  if (const auto anonymous = route.find("anonymous")) {
    out.policy.anonymous = read_actions(*anonymous).value_or(auth::Actions{});
  }
  read_capability(route, out);
  read_globs(route, "repositories", out.policy.repositories);
  read_globs(route, "deny", out.policy.deny);
  std::chrono::milliseconds fresh_for{-1};
  route.duration("fresh_for", fresh_for, 0ms, kMaxDuration);
  if (fresh_for >= 0ms) out.policy.fresh_for = fresh_for;
  route.duration("cooldown", out.policy.cooldown, 0ms, kMaxDuration);
  if (const auto deliver = route.find("deliver")) out.policy.deliver = read_ways(*deliver);
  if (const auto networks = route.find("stream_to")) {
    out.policy.stream_to = read_stream_to(*networks);
  }

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
