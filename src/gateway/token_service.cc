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

// Whether to say 401 and not what an upstream's trouble would be.
bool is_refusal(const Error& error) { return error.code == Code::Unauthorized; }

}  // namespace

async::Task<> TokenService::answer(Exchange& exchange) {
  const std::string_view method = exchange.request.method;
  if (method != "GET" && method != "POST") {
    co_return co_await respond_method_not_allowed(exchange, "GET, POST");
  }
  const std::string key = limit_key(*auth::nobody(), exchange.client);
  if (const auto wait = admission_.limits.admit(key, admission_.clock.steady())) {
    co_return co_await respond_too_many(exchange, *wait);
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
  if (!identified) {
    if (!is_refusal(identified.error())) {
      co_return co_await respond_error(exchange, identified.error());
    }
    co_return co_await respond_refused(exchange, std::move(identified.error().context));
  }
  auth::Caller caller = caller_to_seal(shown.user, *identified, wanted);
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
    if (!target) {
      wanted.push_back({.name = std::move(target.error().name), .actions = scope.actions});
      continue;
    }
    // Asked for twice: for both together, with one login.
    const auto same = std::ranges::find(wanted, target->name, &Wanted::name);
    if (same != wanted.end()) {
      same->actions = same->actions | scope.actions;
      continue;
    }
    const bool is_relayed = admission_.relayed.contains(target->registry);
    std::string name = target->name;
    wanted.push_back({.name = std::move(name),
                      .actions = scope.actions,
                      .target = *std::move(target),
                      .is_relayed = is_relayed});
  }
  return wanted;
}

// Whether it is for us to say who is shown: where it is not, their password is none of ours.
bool TokenService::is_for_us(const Shown& shown, const std::vector<Wanted>& wanted) const {
  if (auth::is_token(shown.password.reveal())) return true;
  if (wanted.empty()) return is_our_user(shown) || admission_.relayed.size() == 0;
  // An upstream's user may have a name that is one of ours: it has lately been told which is meant.
  return std::ranges::any_of(wanted, [&](const Wanted& one) {
    return !one.is_relayed || (is_our_user(shown) && !is_remembered(shown, one.target->registry));
  });
}

bool TokenService::is_remembered(const Shown& shown, const std::string& registry) const {
  return admission_.rights.has(login_name(shown), registry, {});
}

std::string TokenService::login_name(const Shown& shown) {
  return "login " + shown.user + "\n" + shown.password.reveal();
}

bool TokenService::is_our_user(const Shown& shown) const {
  return admission_.users != nullptr && admission_.users->contains(shown.user);
}

async::Task<Result<TokenService::Identified>> TokenService::identify(
    Exchange& exchange, const Shown& shown, const std::vector<Wanted>& wanted) {
  Identified identified;
  if (shown.user.empty() && shown.password.empty()) co_return identified;

  Result<void> outcome = client_error(Code::Unauthorized, "wrong user name or password");
  const bool is_ours = is_for_us(shown, wanted);
  if (is_ours) outcome = co_await identify_own(exchange, shown, identified);
  // The attack: an upstream that is shown the passwords and tokens of our own callers. They are
  // nobody there; and where it cannot be told now whose these are, they are kept.
  if (outcome) co_return identified;
  const bool is_token = auth::is_token(shown.password.reveal());
  const bool may_be_ours = is_token || is_our_user(shown);
  if (may_be_ours && !is_refusal(outcome.error())) {
    co_return std::unexpected(std::move(outcome.error()));
  }

  // What is no good token of ours may be an upstream's: some give tokens for passwords.
  std::set<std::string> refusing;
  for (const Wanted& one : wanted) {
    // A pair is not tried once more where it was refused: it would count as guessing.
    if (!one.is_relayed || refusing.contains(one.target->registry)) continue;
    auto relayed = co_await relay(exchange, shown, one, identified);
    if (!relayed && is_refusal(relayed.error())) refusing.insert(one.target->registry);
    if (relayed || !outcome) outcome = std::move(relayed);
  }
  if (wanted.empty() && (!is_ours || is_token)) {
    outcome = co_await log_in_somewhere(exchange, shown, std::move(outcome), identified);
  }
  if (!outcome && !identified.is_relayed) co_return std::unexpected(std::move(outcome.error()));
  co_return identified;
}

// A login that says of no repository whose it is. Shown to one registry it can be tried; shown to
// several, all but one would see a password for another. The first pull will tell.
async::Task<Result<void>> TokenService::log_in_somewhere(Exchange& exchange, const Shown& shown,
                                                         Result<void> outcome, Identified& out) {
  const bool is_token = auth::is_token(shown.password.reveal());
  if (admission_.relayed.size() > 1 && !is_token) {
    out.is_relayed = true;
    co_return Result<void>{};
  }
  if (admission_.relayed.size() != 1) co_return outcome;
  const auto tried =
      co_await log_in_upstream(exchange, shown, admission_.relayed.only(), std::string());
  if (!tried) co_return std::unexpected(tried.error());
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
  const bool is_known_good = is_remembered(shown, registry);
  if (!is_known_good) {
    if (const auto wait = admission_.throttle.admit(exchange.client)) {
      co_return std::unexpected(Error{.code = Code::TooManyRequests,
                                      .origin = Origin::Client,
                                      .context = "too many failed logins from your address",
                                      .retry_after = *wait});
    }
  }
  auto outcome = co_await admission_.relayed.log_in(
      registry, {.username = shown.user, .password = shown.password}, std::move(scope));
  if (outcome) admission_.rights.note(login_name(shown), registry, {});
  if (!outcome && is_refusal(outcome.error())) {
    admission_.throttle.failed(exchange.client);
  } else if (!is_known_good) {
    admission_.throttle.succeeded(exchange.client);
  }
  co_return outcome;
}

async::Task<Result<void>> TokenService::relay(Exchange& exchange, const Shown& shown,
                                              const Wanted& wanted, Identified& out) {
  const routing::Target& target = *wanted.target;
  const auth::Actions actions = wanted.actions & target.policy->allow;
  auto authorization = co_await log_in_upstream(
      exchange, shown, target.registry, auth::write_scope(target.remote_repository, actions));
  if (!authorization) co_return std::unexpected(std::move(authorization.error()));
  out.is_relayed = true;
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
                                          const std::vector<Wanted>& wanted) const {
  auth::Caller caller{.kind = identified.own->kind, .name = identified.own->name};
  if (identified.is_relayed && !caller.is_identified()) {
    caller.kind = auth::Caller::Kind::Relayed;
    caller.name = user;
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
