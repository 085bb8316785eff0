// SPDX-License-Identifier: Apache-2.0
#include "gateway/token_service.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <set>
#include <span>
#include <utility>

#include "auth/basic.h"
#include "auth/scope.h"
#include "gateway/challenge.h"
#include "gateway/respond.h"
#include "gateway/service_name.h"
#include "oci/name.h"

namespace fairlead::gateway {
namespace {

using std::chrono::seconds;

constexpr seconds kFormTime{10};              // to receive one
constexpr seconds kMinLifetime{60};           // as clients want to read it
constexpr int kMaxRelayed = 10;               // logins at upstreams that one request may cost
constexpr std::size_t kMaxToken = 28 * 1024;  // a request's head may have 32 KiB in all
constexpr std::string_view kIdentityToken = "<token>";

async::Task<Result<std::string>> read_form(http::Responder& responder) {
  const auto deadline = std::chrono::steady_clock::now() + kFormTime;
  std::string form;
  std::array<char, 4096> piece;
  for (;;) {
    const auto length =
        co_await responder.read_body(std::as_writable_bytes(std::span(piece)), deadline);
    if (!length) co_return std::unexpected(length.error());
    if (*length == 0) co_return form;
    if (form.size() + *length > auth::kMaxTokenForm) {
      co_return client_error(Code::TooLarge, "the form is too large");
    }
    form.append(piece.data(), *length);
  }
}

Result<auth::TokenRequest> as_result(std::expected<auth::TokenRequest, std::string> parsed) {
  if (parsed) return *std::move(parsed);
  return client_error(Code::InvalidArgument, std::move(parsed.error()));
}

async::Task<Result<auth::TokenRequest>> read_request(Exchange& exchange) {
  if (exchange.request.method == "GET") {
    const auto target = exchange.request.target;
    const auto query = target.substr(std::min(target.find('?'), target.size() - 1) + 1);
    co_return as_result(auth::parse_token_query(query));
  }
  auto form = co_await read_form(exchange.responder);
  if (!form) co_return std::unexpected(std::move(form.error()));
  co_return as_result(auth::parse_token_form(*form));
}

// Whom the policy knows by name. What a list of their own gives would not be in their token.
bool may_see_catalog(const auth::Caller& caller) {
  if (!caller.is_identified()) return false;
  return !caller.access ||
         (caller.is_sealed && caller.access->allowed(auth::kCatalogName).has(oci::Action::Pull));
}

// Whether to say 401 and not what an upstream's trouble would be.
bool is_refusal(const Error& error) {
  return error.code == Code::Unauthorized ||
         (error.code == Code::Denied && error.origin == Origin::Client);
}

}  // namespace

async::Task<> TokenService::answer(Exchange& exchange) {
  const std::string_view method = exchange.request.method;
  if (method != "GET" && method != "POST") {
    co_return co_await respond_method_not_allowed(exchange, "GET, POST");
  }
  auto request = co_await read_request(exchange);
  if (!request) co_return co_await respond_error(exchange, request.error());

  // What is shown.
  Shown shown;
  const std::string_view authorization = exchange.request.find("Authorization");
  if (!request->refresh_token.empty()) {
    shown = {.user = std::string(kIdentityToken),
             .password = request->refresh_token,
             .is_refresh = true};
  } else if (request->username) {
    shown = {.user = *request->username, .password = request->password};
  } else if (!authorization.empty()) {
    auto pair = auth::parse_basic(authorization);
    if (!pair) {
      co_return co_await respond_refused(exchange, "the Authorization header is not Basic");
    }
    shown = {.user = std::move(pair->user), .password = std::move(pair->password)};
  }

  // Who that is, what they want, and what of it they get.
  const auto wanted = what_is_wanted(exchange, *request);
  auto identified = co_await identify(exchange, shown, wanted);
  const auth::CallerPtr& own = identified ? identified->own : auth::nobody();
  const std::string key = limit_key(*own, exchange.client);
  if (const auto wait = admission_.limits.admit(key, admission_.clock.steady())) {
    co_return co_await respond_too_many(exchange, *wait);
  }
  if (!identified) {
    // Other names may be passwords, typed in the wrong place.
    if (admission_.users != nullptr && admission_.users->contains(shown.user)) {
      exchange.record.tried = shown.user;
    }
    if (!is_refusal(identified.error())) {
      co_return co_await respond_error(exchange, identified.error());
    }
    co_return co_await respond_refused(exchange, std::move(identified.error().context));
  }
  const bool wants_catalog = std::ranges::any_of(request->scopes, &auth::Scope::is_catalog);
  auth::Caller caller = caller_to_seal(shown.user, *identified, wanted, wants_catalog);
  exchange.record.caller = auth::label_of(caller);
  co_await respond(exchange, std::move(caller));
}

std::vector<TokenService::Wanted> TokenService::what_is_wanted(
    const Exchange& exchange, const auth::TokenRequest& request) const {
  ServiceName service = parse_service(request.service);
  if (!is_authority(service.authority)) service.authority = exchange.authority;
  std::vector<Wanted> wanted;
  for (const auth::Scope& scope : request.scopes) {
    // Of other kinds of things nobody here has any.
    if (!scope.is_repository() || !oci::is_repository_name(scope.name)) continue;
    auto target = router_.route({.host = without_port(service.authority),
                                 .authority = service.authority,
                                 .name_space = service.name_space,
                                 .repository = scope.name});
    Wanted one{.name = target ? target->name : std::move(target.error().name),
               .actions = scope.actions};
    if (target) one.target = *std::move(target);
    one.is_relayed = one.target && admission_.relayed.contains(one.target->registry);
    const auto same = std::ranges::find(wanted, one.name, &Wanted::name);
    if (same != wanted.end()) {
      same->actions = same->actions | one.actions;
    } else {
      wanted.push_back(std::move(one));
    }
  }
  return wanted;
}

// Whether it is for us to say who is shown. A name of our users' file is ours alone, whatever it is
// shown for (the attack: a registry that collects the passwords of another's users).
bool TokenService::is_for_us(const Shown& shown) const {
  return admission_.relayed.size() == 0 || auth::is_token(shown.password.reveal()) ||
         (admission_.users != nullptr && admission_.users->contains(shown.user));
}

async::Task<Result<TokenService::Identified>> TokenService::identify(
    Exchange& exchange, const Shown& shown, const std::vector<Wanted>& wanted) {
  Identified identified;
  if (shown.user.empty() && shown.password.empty()) co_return identified;

  Result<void> outcome = client_error(Code::Unauthorized, "wrong user name or password");
  if (is_for_us(shown)) {
    outcome = co_await identify_own(exchange, shown, identified);
    if (outcome) co_return identified;
    // What is no token of ours may be an upstream's: some give tokens for passwords. One that is
    // ours, though no longer good, is shown to nobody (it may be good elsewhere).
    const bool may_be_upstreams = auth::is_jwt_shaped(shown.password.reveal()) &&
                                  outcome.error().code == Code::Unauthorized &&
                                  admission_.relayed.size() > 0;
    if (!may_be_upstreams) co_return std::unexpected(std::move(outcome.error()));
  }
  // They are known to an upstream, or to nobody.
  int asked = 0;
  std::set<std::string> refusing;
  for (const Wanted& one : wanted) {
    // A pair is not tried once more where it was refused: it would count as guessing.
    const bool is_asked = one.is_relayed && !refusing.contains(one.target->registry);
    if (!is_asked || asked == kMaxRelayed) continue;
    auto relayed = co_await relay(exchange, shown, one, scope_upstream(one, wanted), identified);
    if (!relayed && is_refusal(relayed.error())) refusing.insert(one.target->registry);
    if (relayed || asked == 0) outcome = std::move(relayed);
    ++asked;
  }
  if (asked == 0 && is_for_us(shown) && admission_.relayed.size() != 1) {
    co_return std::unexpected(std::move(outcome.error()));
  }
  if (asked == 0) outcome = co_await identify_elsewhere(exchange, shown, wanted, identified);
  if (!outcome && !identified.is_relayed) co_return std::unexpected(std::move(outcome.error()));
  co_return identified;
}

// For nothing of a registry that could say who they are. Shown to one, a login can be tried; shown
// to several, all but one would see a password for another. And a client has one login for all that
// a host has, so it comes along for what everybody may pull. Whom nobody has checked gets no more
// than callers without credentials.
async::Task<Result<void>> TokenService::identify_elsewhere(Exchange& exchange, const Shown& shown,
                                                           const std::vector<Wanted>& wanted,
                                                           Identified& out) {
  if (wanted.empty() && admission_.relayed.size() == 1) {
    const auto tried =
        co_await log_in_upstream(exchange, shown, admission_.relayed.only(), std::string());
    if (!tried) co_return std::unexpected(tried.error());
    out.is_verified = true;
  }
  out.is_relayed = true;
  co_return Result<void>{};
}

async::Task<Result<void>> TokenService::identify_own(Exchange& exchange, const Shown& shown,
                                                     Identified& out) {
  auto& authenticator = admission_.authenticator;
  auto caller = shown.is_refresh ? co_await authenticator.check_token(shown.password)
                                 : co_await authenticator.check_password(shown.user, shown.password,
                                                                         exchange.client);
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  out.own = *std::move(caller);
  // The attack: a short-lived token that gets itself a new one, for ever.
  // A JWT that is taken in spite of its age, for clocks differ, is good for the least there is.
  const WallTime least = admission_.clock.wall() + WallTime::duration(kMinLifetime);
  const WallTime until = out.own->is_sealed ? out.own->expires : std::max(out.own->expires, least);
  out.expires = std::min(out.expires, until);
  co_return Result<void>{};
}

async::Task<Result<upstream::RelayedAuthorization>> TokenService::log_in_upstream(
    Exchange& exchange, const Shown& shown, std::string registry, std::string scope) {
  const std::string login = "login " + shown.user + "\n" + shown.password.reveal();
  const bool is_known_good = admission_.rights.has(login, registry, {});
  if (!is_known_good) {
    if (const auto wait = admission_.throttle.admit(exchange.client)) {
      co_return std::unexpected(Error{.code = Code::TooManyRequests,
                                      .origin = Origin::Client,
                                      .context = "too many failed logins from your address",
                                      .retry_after = wait});
    }
  }
  auto outcome = co_await admission_.relayed.log_in(
      registry, {.username = shown.user, .password = shown.password}, std::move(scope));
  if (outcome) admission_.rights.note(login, registry, {});
  if (!outcome && is_refusal(outcome.error())) {
    admission_.throttle.failed(exchange.client);
  } else if (!is_known_good) {
    admission_.throttle.succeeded(exchange.client);
  }
  co_return outcome;
}

// What the upstream is asked for. To mount a blob of another repository, one token has to be good
// for both: so who pushes gets what else is to be pulled from the same registry with it, behind
// (some registries read the first scope alone).
std::string TokenService::scope_upstream(const Wanted& one, const std::vector<Wanted>& wanted) {
  const auth::Actions actions = one.actions & one.target->policy->allow;
  std::string scope = auth::write_scope(one.target->remote_repository, actions);
  if (!actions.has(oci::Action::Push)) return scope;
  for (const Wanted& other : wanted) {
    const bool is_beside = other.is_relayed && other.name != one.name &&
                           other.target->registry == one.target->registry &&
                           other.actions.has(oci::Action::Pull);
    if (!is_beside) continue;
    scope += " " + auth::write_scope(other.target->remote_repository, {oci::Action::Pull});
  }
  return scope;
}

async::Task<Result<void>> TokenService::relay(Exchange& exchange, const Shown& shown,
                                              const Wanted& wanted, std::string scope,
                                              Identified& out) {
  const routing::Target& target = *wanted.target;
  const auth::Actions actions = wanted.actions & target.policy->allow;
  auto authorization = co_await log_in_upstream(exchange, shown, target.registry, std::move(scope));
  if (!authorization) co_return std::unexpected(std::move(authorization.error()));
  out.is_relayed = true;
  out.is_verified = true;
  out.relayed.push_back({.registry = target.registry,
                         .repository = target.remote_repository,
                         .actions = actions,
                         .authorization = std::move(authorization->value)});
  if (authorization->lifetime < std::chrono::hours(24)) {
    out.expires = std::min(out.expires, admission_.clock.wall() + authorization->lifetime);
  }
  co_return Result<void>{};
}

auth::Caller TokenService::caller_to_seal(const std::string& user, const Identified& identified,
                                          const std::vector<Wanted>& wanted,
                                          bool wants_catalog) const {
  auth::Caller caller{.kind = identified.own->kind, .name = identified.own->name};
  if (identified.is_relayed && !caller.is_identified()) {
    caller.kind = auth::Caller::Kind::Relayed;
    if (identified.is_verified) caller.name = user;
  }
  std::vector<auth::Access> entries;
  for (const Wanted& one : wanted) {
    const routing::RoutePolicy* policy = one.target ? one.target->policy : nullptr;
    auth::Actions given =
        admission_.policy
            .decide(*identified.own, one.name, policy ? policy->anonymous : std::nullopt)
            .actions;
    if (policy != nullptr && policy->is_capability) given = {oci::Action::Pull};
    if (policy != nullptr) given = given & policy->allow;
    given = given & one.actions;
    const bool is_theirs =
        one.is_relayed && std::ranges::any_of(identified.relayed, [&](const auto& login) {
          return login.registry == one.target->registry &&
                 login.repository == one.target->remote_repository;
        });
    // What the upstream will say of it is not known, only what the route does not allow.
    const auth::Actions refused = is_theirs ? one.actions - policy->allow : one.actions - given;
    entries.push_back({.name = one.name, .actions = given, .refused = refused});
  }
  if (wants_catalog && may_see_catalog(*identified.own)) {
    entries.push_back({.name = std::string(auth::kCatalogName), .actions = {oci::Action::Pull}});
  }
  caller.access = auth::AccessList(std::move(entries));
  caller.is_sealed = true;
  caller.relayed = identified.relayed;
  caller.expires = std::min(identified.expires,
                            admission_.clock.wall() + WallTime::duration(admission_.token_ttl));
  return caller;
}

async::Task<> TokenService::respond(Exchange& exchange, auth::Caller caller) {
  const WallTime now = admission_.clock.wall();
  const auto left = std::chrono::floor<seconds>(caller.expires - now);
  auto sealed = admission_.sealed.seal(caller, now, caller.expires);
  if (sealed && sealed->size() > kMaxToken) {
    sealed = client_error(Code::TooLarge, "the token would not fit into a request: ask for less");
  }
  if (!sealed) co_return co_await respond_error(exchange, sealed.error());
  const std::string token = *std::move(sealed);
  const boost::json::object document{{"token", token},
                                     {"access_token", token},
                                     {"expires_in", std::max(left, kMinLifetime).count()},
                                     {"issued_at", utc_text(now)}};
  auto head = make_head(exchange, 200);
  head.add("Content-Type", "application/json").add("Cache-Control", "no-store");
  co_await exchange.responder.send(std::move(head), boost::json::serialize(document));
}

}  // namespace fairlead::gateway
