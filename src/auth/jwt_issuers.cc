// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt_issuers.h"

#include <algorithm>
#include <utility>

namespace fairlead::auth {
namespace {

// How far a token came before it was refused: what is told is how it came furthest.
enum class Stage {
  Issuer,     // nobody here has its `iss`
  Key,        // no key fits its header
  Signature,  // none of those that fit made it
  Unknown,    // the keys of an issuer that fits cannot be got: it may be good
  Claims,     // it is what the issuer signed, and is not accepted
};

struct Refusal {
  Stage stage = Stage::Issuer;
  Error error = client_error(Code::Unauthorized, "the token is of another issuer").error();

  void at(Stage reached, Error why) {
    if (reached < stage) return;
    stage = reached;
    error = std::move(why);
  }
};

Error unauthorized(std::string why) {
  return client_error(Code::Unauthorized, std::move(why)).error();
}

}  // namespace

struct JwtIssuers::Issuer {
  std::vector<SignatureKey> keys;
  std::unique_ptr<JwksSource> source;  // nullptr: none
  ClaimRules rules;
};

namespace {

// Tries `keys` until one has signed it.
bool is_signed_by_any(const UnverifiedJwt& jwt, const std::vector<SignatureKey>& keys,
                      int& tries_left, Refusal& refusal) {
  for (const SignatureKey& key : keys) {
    if (!jwt.header.fits(key)) continue;
    if (tries_left-- <= 0) {
      refusal.at(Stage::Signature, unauthorized("too many keys may have signed the token"));
      return false;
    }
    if (jwt.is_signed_by(key)) return true;
    refusal.at(Stage::Signature, unauthorized("the token's signature is wrong"));
  }
  refusal.at(Stage::Key, unauthorized("no key is known that may have signed the token"));
  return false;
}

}  // namespace

JwtIssuers::JwtIssuers(std::vector<std::unique_ptr<Issuer>> issuers, const Clock& clock)
    : issuers_(std::move(issuers)), clock_(clock) {}

JwtIssuers::~JwtIssuers() = default;

Result<std::unique_ptr<JwtIssuers>> JwtIssuers::make(std::vector<JwtIssuerOptions> options,
                                                     const Clock& clock, telemetry::Log& log) {
  std::vector<std::unique_ptr<Issuer>> issuers;
  for (JwtIssuerOptions& option : options) {
    auto issuer = std::make_unique<Issuer>();
    for (const JwtKey& key : option.keys) {
      auto read = SignatureKey::read(key);
      if (!read) return std::unexpected(std::move(read.error()));
      issuer->keys.push_back(*std::move(read));
    }
    if (!option.jwks_url.empty()) {
      issuer->source =
          std::make_unique<JwksSource>(std::move(option.jwks_url), option.algorithm, clock, log);
    }
    issuer->rules = {.issuer = std::move(option.issuer),
                     .audience = std::move(option.audience),
                     .skew = option.skew};
    issuers.push_back(std::move(issuer));
  }
  // What needs no fetch is tried first.
  std::ignore = std::ranges::partition(issuers, [](const auto& issuer) { return !issuer->source; });
  return std::unique_ptr<JwtIssuers>(new JwtIssuers(std::move(issuers), clock));
}

async::Task<Result<Caller>> JwtIssuers::verify(std::string token, KeyFetcher& fetcher) {
  const auto jwt = read_jwt(token);
  if (!jwt) co_return std::unexpected(jwt.error());
  Refusal refusal;
  int tries_left = kMaxTries;
  for (const auto& issuer : issuers_) {
    // Not verified yet: it only spares those who cannot have issued it.
    if (!is_issued_by(jwt->claims, issuer->rules)) continue;

    bool is_signed = is_signed_by_any(*jwt, issuer->keys, tries_left, refusal);
    // No secret is ever published: such a token is not worth a fetch.
    if (!is_signed && issuer->source && !is_symmetric(jwt->header.algorithm)) {
      auto published = co_await issuer->source->keys(jwt->header, fetcher);
      if (!published) {
        refusal.at(Stage::Unknown, std::move(published.error()));
        continue;
      }
      is_signed = is_signed_by_any(*jwt, **published, tries_left, refusal);
    }
    if (!is_signed) continue;

    auto caller = read_claims(jwt->claims, issuer->rules, clock_.wall());
    if (caller) co_return caller;
    caller.error().code = Code::Denied;
    refusal.at(Stage::Claims, std::move(caller.error()));
  }
  co_return std::unexpected(std::move(refusal.error));
}

}  // namespace fairlead::auth
