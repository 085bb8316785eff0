// SPDX-License-Identifier: Apache-2.0
// CredentialSource: the user name and password that we show one registry: none, the configured
// ones, or what a credential helper says.
//
// A helper is asked on first need, again after 30 minutes, and again after the registry refused
// what it had said (helpers hand out passwords that expire: ECR's after 12 hours), though not
// more than once in 10 seconds; so long its failure is remembered, too.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "async/blocking_pool.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/options.h"
#include "upstream/single_flight.h"

namespace fairlead::upstream {

struct Credentials {
  std::string username;
  Secret password;

  // The password is an identity (refresh) token, to be exchanged at the token service and good
  // for nothing else.
  [[nodiscard]] bool is_identity_token() const { return username == "<token>"; }

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// The Authorization header of Basic (RFC 7617).
Secret basic_authorization(const Credentials& credentials);

// Thread-safe; one a registry, shared by all workers.
class CredentialSource {
 public:
  // All must outlive it.
  CredentialSource(const RegistryOptions& options, async::BlockingPool& pool, const Clock& clock);

  // nullopt: the registry is used anonymously.
  async::Task<Result<std::optional<Credentials>>> get();

  // The registry did not accept `refused`. True when get() may answer something else now, so that
  // it is worth trying again.
  bool refuse(const Credentials& refused);

 private:
  async::Task<Result<std::optional<Credentials>>> ask_helper();
  std::optional<Result<std::optional<Credentials>>> remembered();

  const RegistryOptions& options_;
  async::BlockingPool& pool_;
  const Clock& clock_;
  SingleFlight<std::optional<Credentials>> flight_;

  std::mutex mutex_;
  std::optional<Result<Credentials>> helper_said_;
  SteadyTime asked_at_{};
};

}  // namespace fairlead::upstream
