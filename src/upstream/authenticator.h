// SPDX-License-Identifier: Apache-2.0
// Authenticator: how one registry wants to be logged in to, learnt from its challenges.
//
// The first request goes without credentials; the challenge that answers it is remembered, so that
// the next ones carry their token at once. Which credentials may go where is RealmPolicy's to say:
// where they may not, we ask anonymously, which is all that a mirror in another domain gets.
// One worker's thread; tokens and credentials behind it are shared.
#pragma once

#include <map>
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
#include "upstream/http_transport.h"
#include "upstream/login.h"
#include "upstream/options.h"
#include "upstream/realm_policy.h"
#include "upstream/token_source.h"

namespace fairlead::upstream {

class Authenticator final : public Logins {
 public:
  // All references must outlive it.
  Authenticator(const RegistryOptions& options, HttpTransport& transport, TokenSource& tokens,
                CredentialSource& credentials, telemetry::Log& log);

  async::Task<Result<Login>> begin(std::string endpoint, std::string scope) override;
  async::Task<Result<std::optional<Login>>> after_refusal(std::string endpoint, std::string scope,
                                                          std::vector<std::string> headers,
                                                          Login refused) override;

 private:
  async::Task<Result<std::optional<Credentials>>> credentials_for(std::string url);
  async::Task<Result<Login>> bearer(std::string endpoint, Challenge challenge, std::string scope);
  async::Task<Result<std::optional<Login>>> basic(std::string endpoint, Login refused);
  async::Task<Result<IssuedToken>> token(TokenRequest request);
  void warn_once(std::string_view url);

  const RegistryOptions& options_;
  HttpTransport& transport_;
  TokenSource& tokens_;
  CredentialSource& credentials_;
  telemetry::Log& log_;
  const RealmPolicy policy_;
  std::map<std::string, Challenge> challenges_;  // the last of each endpoint
  bool has_warned_ = false;
};

}  // namespace fairlead::upstream
