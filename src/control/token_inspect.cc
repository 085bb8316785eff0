// SPDX-License-Identifier: Apache-2.0
#include "control/token_inspect.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "async/task.h"
#include "auth/access_claim.h"
#include "auth/base64url.h"
#include "auth/json_object.h"
#include "auth/jwt.h"
#include "auth/key_fetcher.h"
#include "auth/paseto.h"
#include "auth/sealed_token.h"
#include "auth/token_keys.h"
#include "auth/token_payload.h"
#include "telemetry/log.h"

namespace fairlead::control {
namespace {

namespace json = boost::json;
using Kind = TokenReport::Kind;

class NoFetcher final : public auth::KeyFetcher {
 public:
  async::Task<Result<std::string>> fetch(std::string /*url*/) override {
    co_return upstream_error(Code::Unavailable, Retry::No,
                             "the keys of its issuer are published at a URL, which is not fetched "
                             "here: only the gateway can tell");
  }
};

// Nothing of it waits for anybody: it ends in one go.
Result<auth::Caller> verify(auth::JwtIssuers& issuers, std::string token) {
  boost::asio::io_context context{1};
  NoFetcher fetcher;
  Result<auth::Caller> verdict = internal_error(Code::Internal, "the check did not end");
  boost::asio::co_spawn(context.get_executor(), issuers.verify(std::move(token), fetcher),
                        [&](const std::exception_ptr& thrown, Result<auth::Caller> caller) {
                          if (thrown == nullptr) verdict = std::move(caller);
                        });
  context.run();
  return verdict;
}

// Seconds since 1970; nullopt: it is no time, or one that no clock here has.
std::optional<WallTime> time_of(const json::object& claims, std::string_view name) {
  const auto* claim = claims.if_contains(name);
  if (claim == nullptr) return std::nullopt;
  double seconds = -1;
  if (const auto* number = claim->if_int64()) seconds = static_cast<double>(*number);
  if (const auto* number = claim->if_double()) seconds = *number;
  constexpr double kLast = 9e9;  // in the year 2255
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLast) return std::nullopt;
  return WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  const auto* text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::optional<json::object> read_part(std::string_view part) {
  const auto text = auth::base64url_decode(part);
  return text ? auth::parse_json_object(*text) : std::nullopt;
}

// As far as it can be read, which is further than it would be accepted.
void read_jwt(std::string_view token, TokenReport& out) {
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  out.header = read_part(token.substr(0, first)).value_or(json::object());
  out.key_id = text_of(out.header, "kid");
  if (first == last) return;
  auto claims = read_part(token.substr(first + 1, last - first - 1));
  if (!claims) return;
  out.is_readable = true;
  out.claims = *std::move(claims);
  out.caller.kind = auth::Caller::Kind::Issued;
  out.caller.name = text_of(out.claims, "sub");
  auto access = auth::read_access_claim(out.claims);
  if (access) {
    out.caller.access = *std::move(access);
  } else {
    out.access_problem = std::move(access.error().context);
  }
  out.issued = time_of(out.claims, "iat");
  out.not_before = time_of(out.claims, "nbf");
  out.expires = time_of(out.claims, "exp");
}

void judge_jwt(std::string_view token, std::vector<auth::JwtIssuerOptions> options,
               const Clock& clock, TokenReport& out) {
  if (options.empty()) {
    out.why_not = "the configuration accepts no JWTs: it has no auth.jwt";
    return;
  }
  telemetry::Log log({.level = telemetry::LogLevel::Error});
  const auto issuers = auth::JwtIssuers::make(std::move(options), clock, log);
  if (!issuers) {
    out.why_not = issuers.error().context;
    return;
  }
  const auto caller = verify(**issuers, std::string(token));
  out.is_accepted = caller.has_value();
  if (!caller) out.why_not = caller.error().context;
}

void read_sealed(std::string_view token, const TokenChecks& checks, const Clock& clock,
                 TokenReport& out) {
  if (const auto footer = auth::paseto::footer_of(token)) {
    out.key_id = text_of(auth::parse_json_object(*footer).value_or(json::object()), "kid");
  }
  if (checks.keys.empty()) {
    out.why_not = checks.why_no_keys;
    return;
  }
  auto keys = auth::TokenKeys::parse(checks.keys);
  if (!keys) {
    out.why_not = keys.error().context;
    return;
  }
  if (const auto text = keys->open(token, auth::kSealedTokenAssertion)) {
    if (auto payload = auth::read_token_payload(*text)) {
      out.is_readable = true;
      out.caller = std::move(payload->caller);
      out.issued = payload->issued;
      out.expires = out.caller.expires;
    }
  }
  const auto caller = auth::SealedTokens(*std::move(keys)).open(token, clock.wall());
  out.is_accepted = caller.has_value();
  if (!caller) out.why_not = caller.error().context;
}

}  // namespace

TokenReport inspect_token(std::string_view token, TokenChecks checks, const Clock& clock) {
  TokenReport report;
  if (auth::is_sealed_token(token)) {
    report.kind = Kind::Sealed;
    read_sealed(token, checks, clock, report);
  } else if (auth::is_jwt_shaped(token)) {
    report.kind = Kind::Jwt;
    read_jwt(token, report);
    judge_jwt(token, std::move(checks.issuers), clock, report);
  } else {
    report.why_not = "it is neither a JWT nor a sealed token of a Fairlead gateway";
  }
  return report;
}

}  // namespace fairlead::control
