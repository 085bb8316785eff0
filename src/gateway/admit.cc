// SPDX-License-Identifier: Apache-2.0
// Admitting: who is this, and may they. Nothing is looked up before.
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "auth/basic.h"
#include "gateway/challenge.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "oci/accept.h"

namespace fairlead::gateway {
namespace {

constexpr std::string_view kNobody = "nobody";  // whom an upstream knows as little as we do

bool has_several(const http::Request& request, std::string_view name) {
  int count = 0;
  for (const auto& field : request.fields) {
    if (http::equals_ignoring_case(field.name, name)) ++count;
  }
  return count > 1;
}

}  // namespace

// Counts the request for its caller, or, as long as they are not known, for their address. How long
// they have to wait, where it is one too many.
std::optional<std::chrono::seconds> Gateway::count(Exchange& exchange) {
  if (!admission_.limits.is_enabled()) return std::nullopt;
  exchange.limit_key = limit_key(*exchange.caller, exchange.client);
  return admission_.limits.admit(exchange.limit_key, admission_.clock.steady());
}

// False: answered.
async::Task<bool> Gateway::identify(Exchange& exchange) {
  exchange.caller = auth::nobody();
  const std::string_view authorization = exchange.request.find("Authorization");
  std::optional<Error> refused;
  if (!authorization.empty()) {
    auto caller = co_await caller_of(exchange, authorization);
    if (caller) {
      exchange.caller = *std::move(caller);
      exchange.record.caller = auth::label_of(*exchange.caller);
    } else {
      refused = std::move(caller.error());
    }
  }
  if (const auto wait = count(exchange)) {
    co_await respond_too_many(exchange, *wait);
    co_return false;
  }
  if (!refused) co_return true;
  const bool is_about_credentials =
      refused->code == Code::Unauthorized || refused->code == Code::Denied;
  if (refused->origin == Origin::Client && is_about_credentials) {
    co_await respond_unauthorized(exchange, TokenError::InvalidToken, std::move(refused->context));
  } else {
    co_await respond_error(exchange, *refused);
  }
  co_return false;
}

async::Task<Result<auth::CallerPtr>> Gateway::caller_of(const Exchange& exchange,
                                                        std::string_view authorization) {
  // The attack: what stands in front of us looks at one of them, and we at another.
  if (has_several(exchange.request, "Authorization")) {
    co_return client_error(Code::InvalidArgument, "there is more than one Authorization header");
  }
  if (auto known = admission_.authenticator.find(authorization)) co_return known;
  if (admission_.relayed.contains(exchange.target.registry) && auth::is_basic(authorization)) {
    co_return client_error(Code::Unauthorized, "the token service takes passwords for this");
  }
  co_return co_await admission_.authenticator.authenticate(std::string(authorization),
                                                           exchange.client);
}

async::Task<> Gateway::answer_ping(Exchange& exchange) {
  // An anonymous token is as good as was asked for.
  const bool has_shown_something = !exchange.request.find("Authorization").empty();
  if (admission_.wants_callers && !has_shown_something) {
    co_return co_await respond_unauthorized(exchange, TokenError::None, "authentication required");
  }
  co_await respond_text(exchange, 200, "application/json", "{}");
}

async::Task<> Gateway::respond_not_granted(Exchange& exchange, auth::Refusal refusal) {
  switch (refusal.kind) {
    case auth::Refusal::Kind::NoCaller:
      co_return co_await respond_unauthorized(exchange, TokenError::None,
                                              std::move(refusal.message));
    case auth::Refusal::Kind::OtherScope:
      co_return co_await respond_unauthorized(exchange, TokenError::InsufficientScope,
                                              std::move(refusal.message));
    case auth::Refusal::Kind::Denied:
      co_return co_await respond_error(exchange, 403, oci::ErrorCode::Denied,
                                       std::move(refusal.message));
  }
}

// Whether there is such a route is for those to know who may see what it leads to.
async::Task<> Gateway::respond_unrouted(Exchange& exchange, const routing::Unrouted& unrouted) {
  const auto grant = auth::authorize(admission_.policy, *exchange.caller,
                                     {.repository = unrouted.name,
                                      .action = exchange.operation.action,
                                      .route_allows = auth::Actions::all()});
  if (!grant) co_return co_await respond_not_granted(exchange, grant.error());
  co_await respond_error(exchange, 404, oci::ErrorCode::NameUnknown, "no route for this name");
}

auth::Wish Gateway::wish_of(const Exchange& exchange, const routing::Target& target,
                            oci::Action action) const {
  const routing::RoutePolicy& policy = *target.policy;
  return {.repository = target.name,
          .action = action,
          .route_allows = policy.allow,
          .route_anonymous = policy.anonymous,
          .is_capability = policy.is_capability,
          .is_relayed = admission_.relayed.contains(target.registry),
          .relayed = exchange.caller->relayed_to(target.registry, target.remote_repository)};
}

bool Gateway::may(const Exchange& exchange, const routing::Target& target,
                  oci::Action action) const {
  return auth::authorize(admission_.policy, *exchange.caller, wish_of(exchange, target, action))
      .has_value();
}

// nullopt: answered.
async::Task<std::optional<auth::Grant>> Gateway::authorize(Exchange& exchange) {
  const routing::Target& target = exchange.target;
  const routing::RoutePolicy& policy = *target.policy;
  auto grant = auth::authorize(admission_.policy, *exchange.caller,
                               wish_of(exchange, target, exchange.operation.action));
  if (!grant) {
    co_await respond_not_granted(exchange, grant.error());
    const auto decision = admission_.policy.decide(*exchange.caller, target.name, policy.anonymous);
    if (decision.rule != nullptr && policy.allow.has(exchange.operation.action)) {
      exchange.record.error += "; by the rule on line " + std::to_string(decision.rule->line);
    }
    co_return std::nullopt;
  }
  // The attack: who may see nothing learns by it what there is a route for.
  if (!policy.admits(target.remote_repository)) {
    co_await respond_error(exchange, 403, oci::ErrorCode::Denied,
                           "the route does not serve this repository");
    co_return std::nullopt;
  }
  exchange.registry = registries_.find(target.registry)->second.registry;
  if (admission_.relayed.contains(target.registry)) {
    relay(exchange);
    if (const auto right = co_await confirm_right(exchange); !right) {
      co_await respond_error(exchange, right.error());
      co_return std::nullopt;
    }
  }
  co_return *grant;
}

// From here on the registry is asked in the caller's name.
void Gateway::relay(Exchange& exchange) {
  const routing::Target& target = exchange.target;
  exchange.is_relayed = true;
  exchange.relayed_as = kNobody;
  const auto* login = exchange.caller->relayed_to(target.registry, target.remote_repository);
  if (login == nullptr) return;
  exchange.relayed_as = admission_.rights.name_of(login->authorization);
  exchange.registry_of_caller = admission_.relayed.client(target.registry, login->authorization);
  exchange.registry = exchange.registry_of_caller.get();
}

bool Gateway::has_right(const Exchange& exchange) const {
  return !exchange.is_relayed ||
         admission_.rights.has(exchange.relayed_as, exchange.target.registry,
                               exchange.target.remote_repository);
}

// The attack: what one caller has pulled lies in the cache, and another, who may not have it,
// asks for it. Lists are asked of the upstream anyway.
async::Task<Result<void>> Gateway::confirm_right(Exchange& exchange) {
  const auto& operation = exchange.operation;
  const std::string& repository = exchange.target.remote_repository;
  const bool is_content =
      operation.kind == oci::Kind::Manifest || operation.kind == oci::Kind::Blob;
  const bool is_pull = operation.action == oci::Action::Pull;
  if (!is_content || !is_pull || has_right(exchange)) co_return Result<void>{};
  auto head = operation.kind == oci::Kind::Blob
                  ? co_await exchange.registry->head_blob(repository, *operation.reference.digest)
                  : co_await exchange.registry->head_manifest(
                        repository, operation.reference.text,
                        oci::manifest_accept(exchange.request.find_all("Accept")));
  if (!head && head.error().code == Code::Unsupported && operation.kind == oci::Kind::Manifest) {
    // It answers no HEAD: the beginning of a GET says as much.
    auto download = co_await exchange.registry->get_manifest(
        repository, operation.reference.text,
        oci::manifest_accept(exchange.request.find_all("Accept")));
    if (!download) co_return std::unexpected(std::move(download.error()));
  } else if (!head) {
    co_return std::unexpected(std::move(head.error()));
  }
  admission_.rights.note(exchange.relayed_as, exchange.target.registry, repository);
  co_return Result<void>{};
}

}  // namespace fairlead::gateway
