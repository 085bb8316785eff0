// SPDX-License-Identifier: Apache-2.0
// One round with a token service: credentials in, Bearer token out (distribution's token
// authentication: GET; its OAuth2 form: POST with a refresh token). Remembers nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/credentials.h"
#include "upstream/http_transport.h"

namespace fairlead::upstream {

struct TokenRequest {
  std::string registry;  // its configured name
  std::string realm;     // the token service's URL; who asks has checked it may have these
  std::string service;   // as in the challenge; may be empty
  std::string scope;     // "repository:library/alpine:pull"
  std::optional<Credentials> credentials;
};

struct BearerToken {
  Secret token;
  std::chrono::seconds lifetime{};  // as the service says; 60 seconds when it does not
};

// How to reach the token service.
struct TokenChannel {
  HttpTransport& transport;
  Timeouts timeouts;
  std::string ca_file;
  std::string proxy;
};

// Errors: Unauthorized or Denied (the service refuses), TooManyRequests, Unavailable, Timeout,
// Corrupt (no token in the answer), TooLarge (above 64 KiB).
async::Task<Result<BearerToken>> exchange_token(TokenChannel channel, TokenRequest request);

// The service's answer: `token` or `access_token`, `expires_in`. Pure; input is hostile.
Result<BearerToken> parse_token_document(std::string_view json);

// The URL of the GET: service, scope and account added to what query the realm has.
std::string token_url(const TokenRequest& request);

}  // namespace fairlead::upstream
