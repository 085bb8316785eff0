// SPDX-License-Identifier: Apache-2.0
// Relaying: a registry is used with the caller's own credentials instead of configured ones.
//
//   log_in          credentials -> an Authorization that the registry takes: its Bearer token or,
//                   where it wants Basic, the pair itself
//   RelayedLogins   a registry client that shows that Authorization and nothing else
//
// RealmPolicy says where the credentials may go; the Authorization goes to the registry's own
// address, never to a mirror elsewhere or behind a redirect.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/credentials.h"
#include "upstream/http_transport.h"
#include "upstream/login.h"
#include "upstream/options.h"
#include "upstream/realm_policy.h"

namespace fairlead::upstream {

struct RelayedAuthorization {
  Secret value;                     // of the header
  std::chrono::seconds lifetime{};  // max(): until the password is changed
};

// Asks the registry what it wants, and gets it with `credentials`. `scope` as for a token service
// ("repository:team/app:pull"); empty: only to see whether the credentials are good. Errors:
// Unauthorized (they are not), Denied (the registry sends us where they may not go), Unavailable,
// Timeout, TooManyRequests, Corrupt.
async::Task<Result<RelayedAuthorization>> log_in(const RegistryOptions& options,
                                                 HttpTransport& transport, Credentials credentials,
                                                 std::string scope);

class RelayedLogins final : public Logins {
 public:
  RelayedLogins(const RegistryOptions& options, Login login)
      : policy_(options.url, {}), login_(std::move(login)) {}

  async::Task<Result<Login>> begin(std::string endpoint, std::string scope) override;
  async::Task<Result<Login>> begin_once(std::string endpoint, std::string scope) override;
  async::Task<Result<std::optional<Login>>> after_refusal(std::string endpoint, std::string scope,
                                                          std::vector<std::string> headers,
                                                          Login refused) override;

 private:
  const RealmPolicy policy_;
  const Login login_;
};

}  // namespace fairlead::upstream
