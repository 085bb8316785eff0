// SPDX-License-Identifier: Apache-2.0
#include "control/explain.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "auth/authorizer.h"
#include "config/problem.h"
#include "gateway/service_name.h"
#include "oci/digest.h"
#include "oci/name.h"
#include "routing/router.h"

namespace fairlead::control {
namespace {

using auth::Decision;
using auth::Refusal;
using config::in_quotes;
using gateway::without_port;

std::string_view authority_of(std::string_view url) {
  const auto at = url.find("://");
  return at == std::string_view::npos ? url : url.substr(at + 3);
}

bool is_host_of(const routing::RouteOptions& route, std::string_view host) {
  if (!route.host) return false;
  if (route.host->starts_with("*.")) return host.ends_with(route.host->substr(1));
  return *route.host == host;
}

// Whether the first part of an image's name is the gateway's address and no part of a repository,
// which has no colon.
bool is_own_address(const config::Config& config, std::string_view first) {
  if (first.contains(':') || first == authority_of(config.server.public_url)) return true;
  return std::ranges::any_of(config.routes,
                             [&](const auto& route) { return is_host_of(route, first); });
}

std::string describe(const routing::RouteOptions& route) {
  if (route.policy.is_capability) return "a capability to " + in_quotes(route.to);
  std::string text;
  const auto add = [&](std::string_view key, const std::optional<std::string>& value) {
    if (value) text += std::string(key) + " " + in_quotes(*value) + " ";
  };
  add("host", route.host);
  add("namespace", route.name_space);
  add("match", route.match);
  return text + "to " + in_quotes(route.to);
}

// "pull,push"; where `action` is not among them, "pull, not push".
std::string describe(auth::Actions actions, oci::Action action) {
  if (actions.empty()) return "nothing";
  return to_string(actions) +
         (actions.has(action) ? "" : ", not " + std::string(oci::to_string(action)));
}

std::string describe(const auth::Rule& rule, oci::Action action) {
  std::string who;
  for (const std::string& name : rule.who) who += (who.empty() ? "" : ", ") + name;
  return "the rule for " + who + " gives " + describe(rule.actions, action);
}

std::string describe(const Decision& decision, oci::Action action, bool is_identified,
                     bool is_of_route) {
  switch (decision.basis) {
    case Decision::Basis::Nothing:
      return is_identified ? "no rule gives it, and callers without credentials may not either"
                           : "callers without credentials may not";
    case Decision::Basis::Rule:
      return describe(*decision.rule, action);
    case Decision::Basis::AccessList:
      return "the access list of the token gives " + describe(decision.actions, action);
    case Decision::Basis::Anonymous:
      return std::string(is_of_route ? "anonymous of the route" : "auth.anonymous") + " gives " +
             describe(decision.actions, action) +
             (decision.actions.has(action) ? " to everybody" : "");
    case Decision::Basis::Identified:
      return "there are no rules: whoever is identified may " + describe(decision.actions, action);
  }
  return {};
}

std::string describe_credentials(const upstream::RegistryOptions& registry) {
  if (registry.relays_credentials) return "the caller's own, if they gave any";
  if (registry.credentials) return "those of " + in_quotes(registry.credentials->username);
  if (!registry.credential_helper.empty()) {
    return "what " + in_quotes(registry.credential_helper.front()) + " says";
  }
  return "none";
}

// Where a redirect leads to.
std::string place_of(const config::Config& config, const routing::Target& target) {
  const auto bucket = config.buckets.find(target.registry);
  if (bucket != config.buckets.end()) return "the registry's bucket " + bucket->second.bucket.name;
  if (config.cache_bucket) return "the cache's bucket " + config.cache_bucket->bucket.name;
  return "where the registry redirects to";
}

std::string describe_delivery(const config::Config& config, const routing::Target& target) {
  const auto found = config.deliveries.find(target.registry);
  const routing::Delivery own =
      found == config.deliveries.end() ? routing::Delivery{} : found->second;
  const routing::Ways ways = target.policy->deliver.value_or(own.ways);
  const auto& networks = target.policy->stream_to ? *target.policy->stream_to : own.stream_to;
  const bool has_blobs = ways.blobs == routing::Way::Redirect;
  const bool has_manifests = ways.manifests == routing::Way::Redirect;
  const bool is_hidden = target.policy->is_capability && !target.policy->deliver;
  if (is_hidden || (!has_blobs && !has_manifests)) return "through the gateway";
  const std::string what = !has_manifests ? "layers" : (has_blobs ? "all" : "manifests");
  return what + " by redirect to " + place_of(config, target) +
         (networks.empty() ? "" : ", save for clients in stream_to") +
         (what == "all" ? "" : "; the rest through the gateway");
}

bool has_login(const upstream::RegistryOptions& registry) {
  return registry.credentials || !registry.credential_helper.empty();
}

// Of what is allowed here.
std::string answer_of(const upstream::RegistryOptions& registry, oci::Action action) {
  if (action == oci::Action::Pull) {
    return registry.relays_credentials ? "what the registry answers"
                                       : "200, if the registry has it";
  }
  std::string asked = "what the registry answers";
  if (!registry.relays_credentials) {
    asked += has_login(registry) ? " to its login" : " without a login";
  }
  return asked + ": " + (action == oci::Action::Push ? "201" : "202") + " when it takes it";
}

std::string answer_to(const Refusal& refusal) {
  return refusal.kind == Refusal::Kind::Denied ? "403 DENIED" : "401 UNAUTHORIZED";
}

const upstream::RegistryOptions& registry_of(const config::Config& config,
                                             const routing::Target& target) {
  return *std::ranges::find(config.registries, target.registry, &upstream::RegistryOptions::name);
}

void fill_in_target(const config::Config& config, const routing::Target& target, Explanation& out) {
  const auto route = std::ranges::find_if(config.routes, [&](const auto& one) {
    // Built-in routes have no line; a target tells its policy, and of those all are alike.
    return one.line == target.line && target.line != 0;
  });
  out.route = route == config.routes.end() ? "built in" : describe(*route);
  out.route_line = target.line;
  out.is_capability = target.policy->is_capability;
  out.registry = target.registry;
  out.remote_repository = target.remote_repository;
  const upstream::RegistryOptions& registry = registry_of(config, target);
  out.url = registry.url.empty() ? "its bucket alone" : registry.url;
  out.delivered = describe_delivery(config, target);
  out.shown_upstream = describe_credentials(registry);
}

void fill_in_decision(const config::Config& config, const ExplainQuestion& question,
                      const routing::Target* target, Explanation& out) {
  const auth::Policy policy(config.auth.policy);
  static const routing::RoutePolicy kUnrouted;
  const routing::RoutePolicy& route = target == nullptr ? kUnrouted : *target->policy;
  const auto authorized = [&](oci::Action action) {
    return auth::authorize(policy, question.caller,
                           {.repository = out.name,
                            .action = action,
                            .route_allows = route.allow,
                            .route_anonymous = route.anonymous,
                            .is_capability = route.is_capability});
  };
  const auto grant = authorized(question.action);
  const Decision decision = policy.decide(question.caller, out.name, route.anonymous);
  // Whom only the upstream knows is whoever it says: no rule of ours is about them.
  const bool is_relayed = target != nullptr && registry_of(config, *target).relays_credentials;
  const bool is_open = grant || (is_relayed && route.allow.has(question.action));
  out.is_allowed = is_open && target != nullptr;
  if (!grant) {
    out.answer = answer_to(grant.error());
  } else if (target == nullptr) {
    out.answer = "404 NAME_UNKNOWN";
  } else {
    out.answer = answer_of(registry_of(config, *target), question.action);
    if (question.action == oci::Action::Push && !authorized(oci::Action::Pull)) {
      out.answer += "; but clients look first what is there, and fail: pushes need pull, too";
    }
  }
  if (!route.allow.has(question.action)) {
    out.decided_by = "the route allows " + to_string(route.allow) + " only";
  } else if (route.is_capability) {
    out.decided_by = "whoever knows the name may pull";
  } else {
    out.decided_by = describe(decision, question.action, question.caller.is_identified(),
                              route.anonymous.has_value());
    if (decision.rule != nullptr) out.rule_line = decision.rule->line;
  }
  if (target == nullptr) return;
  if (is_relayed && out.is_allowed) {
    out.decided_by = "registry " + target->registry +
                     ", by the caller's own login there; to users of auth.users and bearers of "
                     "JWTs it gives what anybody gets";
    out.rule_line = 0;
    out.answer = answer_of(registry_of(config, *target), question.action);
  }
  if (!route.admits(target->remote_repository)) {
    out.is_allowed = false;
    out.answer = "403 DENIED";
    out.decided_by = "the route's repositories and deny leave it out";
  }
}

std::string line_text(std::size_t line) {
  return line == 0 ? std::string() : "line " + std::to_string(line) + ": ";
}

}  // namespace

std::expected<ExplainQuestion, std::string> parse_image(const config::Config& config,
                                                        std::string_view image) {
  ExplainQuestion question;
  if (image.starts_with("docker://")) image.remove_prefix(9);
  const auto slash = image.find('/');
  if (slash != std::string_view::npos && is_own_address(config, image.substr(0, slash))) {
    question.host = image.substr(0, slash);
    image.remove_prefix(slash + 1);
  }
  question.reference = "latest";
  if (const auto at = image.find('@'); at != std::string_view::npos) {
    question.reference = image.substr(at + 1);
    if (!oci::Digest::parse(question.reference)) {
      return std::unexpected(in_quotes(question.reference) + " is no digest");
    }
    image = image.substr(0, at);
  }
  const auto colon = image.rfind(':');
  if (colon != std::string_view::npos && image.find('/', colon) == std::string_view::npos) {
    if (!question.reference.contains(':')) question.reference = image.substr(colon + 1);
    image = image.substr(0, colon);
  }
  if (!question.reference.contains(':') && !oci::is_tag(question.reference)) {
    return std::unexpected(in_quotes(question.reference) + " is no tag");
  }
  if (!oci::is_repository_name(image)) {
    return std::unexpected(in_quotes(image) + " is no name of a repository");
  }
  question.repository = image;
  return question;
}

Explanation explain(const config::Config& config, const ExplainQuestion& question) {
  const routing::Router router = config::make_router(config);
  const auto target = router.route({.host = without_port(question.host),
                                    .authority = question.host,
                                    .name_space = question.name_space,
                                    .repository = question.repository});
  Explanation out;
  out.name = target ? target->name : target.error().name;
  if (target) fill_in_target(config, *target, out);
  fill_in_decision(config, question, target ? &*target : nullptr, out);
  return out;
}

std::string to_text(const ExplainQuestion& question, const Explanation& explanation) {
  std::string text;
  const auto add = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    std::string padded(key);
    padded.resize(12, ' ');
    text += padded + value + "\n";
  };
  const std::string label = auth::label_of(question.caller);
  add("caller", label.empty() ? "anonymous" : label);
  add("action", std::string(oci::to_string(question.action)));
  add("name", explanation.name);
  add("route", explanation.route.empty() ? "none leads anywhere"
                                         : line_text(explanation.route_line) + explanation.route);
  if (!explanation.registry.empty()) {
    add("registry", explanation.registry + " at " + explanation.url);
    add("repository", explanation.remote_repository);
    add("credentials", explanation.shown_upstream);
    add("delivered", explanation.delivered);
  }
  add("decided by", line_text(explanation.rule_line) + explanation.decided_by);
  add("answer", explanation.answer);
  return text;
}

std::string to_json(const ExplainQuestion& question, const Explanation& explanation) {
  return boost::json::serialize(boost::json::object{{"caller", auth::label_of(question.caller)},
                                                    {"action", oci::to_string(question.action)},
                                                    {"name", explanation.name},
                                                    {"allowed", explanation.is_allowed},
                                                    {"route", explanation.route},
                                                    {"route_line", explanation.route_line},
                                                    {"capability", explanation.is_capability},
                                                    {"registry", explanation.registry},
                                                    {"url", explanation.url},
                                                    {"repository", explanation.remote_repository},
                                                    {"credentials", explanation.shown_upstream},
                                                    {"delivered", explanation.delivered},
                                                    {"decided_by", explanation.decided_by},
                                                    {"rule_line", explanation.rule_line},
                                                    {"answer", explanation.answer}});
}

}  // namespace fairlead::control
