// SPDX-License-Identifier: Apache-2.0
// Authenticator: how one registry wants to be logged in to, learnt from its challenges.
//
// The first request goes without credentials; the challenge that answers it is remembered, so that
// the next ones carry their token at once. What can be sent only once never is that first request:
// then the registry is pinged before. Which credentials may go where is RealmPolicy's to say: where
// they may not, we ask anonymously, which is all that a mirror in another domain gets.
// One worker's thread; challenges, tokens and credentials behind it are shared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/error.h"
#include "base/secret.h"
#include "telemetry/log.h"
#include "upstream/challenge.h"
#include "upstream/credentials.h"
#include "upstream/endpoint_board.h"
#include "upstream/http_transport.h"
#include "upstream/login.h"
#include "upstream/options.h"
#include "upstream/realm_policy.h"
#include "upstream/token_source.h"

namespace fairlead::upstream {

class Authenticator final : public Logins {
 public:
  // All references must outlive it.
  Authenticator(const RegistryOptions& options, HttpTransport& transport, EndpointBoard& board,
                TokenSource& tokens, CredentialSource& credentials, telemetry::Log& log);

  async::Task<Result<Login>> begin(std::string endpoint, std::string scope) override;
  // `endpoint` is the registry's own.
  async::Task<Result<Login>> begin_once(std::string endpoint, std::string scope) override;
  async::Task<Result<std::optional<Login>>> after_refusal(std::string endpoint, std::string scope,
                                                          std::vector<std::string> headers,
                                                          Login refused) override;

 private:
  async::Task<Result<std::optional<Credentials>>> credentials_for(std::string url);
  // Of `challenge`, made by `endpoint`.
  async::Task<Result<Login>> log_in(std::string endpoint, Challenge challenge, std::string scope,
                                    TokenUse use);
  async::Task<Result<Login>> bearer(std::string endpoint, Challenge challenge, std::string scope,
                                    TokenUse use);
  async::Task<Result<std::optional<Login>>> basic(std::string endpoint, Login refused);
  async::Task<Result<IssuedToken>> token(TokenRequest request, TokenUse use);
  async::Task<Result<void>> find_out(std::string endpoint);
  void warn_once(std::string_view url);

  const RegistryOptions& options_;
  HttpTransport& transport_;
  EndpointBoard& board_;
  TokenSource& tokens_;
  CredentialSource& credentials_;
  telemetry::Log& log_;
  const RealmPolicy policy_;
  bool has_warned_ = false;
};

}  // namespace fairlead::upstream
