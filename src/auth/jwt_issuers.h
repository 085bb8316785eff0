// SPDX-License-Identifier: Apache-2.0
// JwtIssuers: the outside issuers whose JWTs are accepted, and who their bearers are.
//
// Each issuer has keys of its own or publishes them (jwks_source.h). A token is tried with the keys
// that fit its header, of the issuers that fit its `iss`; it is accepted when one of them signed it
// and what it claims is right for that same issuer. Issuers may overlap, in key ids too.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "auth/caller.h"
#include "auth/jwks_source.h"
#include "auth/jwt.h"
#include "auth/jwt_claims.h"
#include "auth/jwt_key.h"
#include "auth/key_fetcher.h"
#include "base/clock.h"
#include "base/error.h"
#include "telemetry/log.h"

namespace fairlead::auth {

struct JwtIssuerOptions {
  std::vector<JwtKey> keys;               // of the configuration, or of a JWKS file that it names
  std::string jwks_url;                   // besides or instead; empty: none
  std::optional<JwtAlgorithm> algorithm;  // of published RSA keys that do not say theirs
  std::string issuer;                     // `iss`; empty: any
  std::string audience;                   // `aud`; empty: any
  std::chrono::seconds skew{60};          // by which clocks may differ
};

// Thread-safe, shared by all workers.
class JwtIssuers {
 public:
  // What one token may cost: signatures that are computed for it. The attack: a token without key
  // id, for which every one of a hundred published keys would have to be tried.
  static constexpr int kMaxTries = 16;

  // Errors: InvalidArgument for a key that check_key() refuses. `clock` and `log` must outlive it.
  static Result<std::unique_ptr<JwtIssuers>> make(std::vector<JwtIssuerOptions> options,
                                                  const Clock& clock, telemetry::Log& log);
  ~JwtIssuers();

  // The bearer of `token`, of kind Issued. Errors, without any of the token's text: Unauthorized;
  // Denied where one of the issuers has signed it, but what it claims is not right; those of
  // JwksSource::keys() when keys are missing without which nobody can tell.
  async::Task<Result<Caller>> verify(std::string token, KeyFetcher& fetcher);

 private:
  struct Issuer;

  JwtIssuers(std::vector<std::unique_ptr<Issuer>> issuers, const Clock& clock);

  const std::vector<std::unique_ptr<Issuer>> issuers_;
  const Clock& clock_;
};

}  // namespace fairlead::auth
