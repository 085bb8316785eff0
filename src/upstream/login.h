// SPDX-License-Identifier: Apache-2.0
// Login: what one request to a registry is sent with; and Logins, who says so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/credentials.h"
#include "upstream/token_exchange.h"

namespace fairlead::upstream {

// What one request was sent with.
struct Login {
  Secret authorization;                       // of the header; empty: none
  std::optional<Credentials> credentials;     // what stands behind it; none: anonymous
  std::optional<TokenRequest> token_request;  // set: it is a Bearer token, `token`
  Secret token;
  bool is_fresh = false;  // the token was issued just now: its refusal is not one of age
};

// The attack, or the blunder: a registry whose error quotes the credentials it was sent.
void conceal(std::string& text, const Login& login);

class Logins {
 public:
  virtual ~Logins() = default;

  // What to send `endpoint` (its URL) at first for what has `scope`, as a token service is asked
  // for it: "repository:library/alpine:pull", several separated by spaces.
  virtual async::Task<Result<Login>> begin(std::string endpoint, std::string scope) = 0;

  // The same for a request that can be sent only once: what `endpoint` wants is found out before,
  // and the login will last until the request has arrived, however slowly.
  virtual async::Task<Result<Login>> begin_once(std::string endpoint, std::string scope) = 0;

  // `endpoint` answered 401 or 403, with these WWW-Authenticate headers, to a request with
  // `refused`: what to try instead, nullopt when there is nothing left. Each call costs the
  // upstream a request: ask at most kMaxRefusals times.
  virtual async::Task<Result<std::optional<Login>>> after_refusal(std::string endpoint,
                                                                  std::string scope,
                                                                  std::vector<std::string> headers,
                                                                  Login refused) = 0;
  static constexpr int kMaxRefusals = 3;
};

}  // namespace fairlead::upstream
