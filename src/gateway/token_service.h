// SPDX-License-Identifier: Apache-2.0
// TokenService: GET and POST /token. Takes nothing, a user name and password, a token as the
// password, or the caller's own upstream credentials, and gives a sealed token for what of the
// asked the caller may. No credentials are no error, nor is asking for too much; wrong ones are.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "auth/access_list.h"
#include "auth/token_request.h"
#include "gateway/admission.h"
#include "gateway/exchange.h"
#include "routing/router.h"
#include "upstream/relay.h"

namespace fairlead::gateway {

// One a worker.
class TokenService {
 public:
  TokenService(const routing::Router& router, Admission& admission)
      : router_(router), admission_(admission) {}

  // Answers one request.
  async::Task<> answer(Exchange& exchange);

 private:
  // What came with the request; a refresh token is a password without a name.
  struct Shown {
    std::string user;
    Secret password;
    bool is_refresh = false;
  };

  // One repository that a token is asked for.
  struct Wanted {
    std::string name;  // qualified
    auth::Actions actions;
    std::optional<routing::Target> target;  // none: no route
    bool is_relayed = false;
  };

  struct Identified {
    auth::CallerPtr own = auth::nobody();     // whom we know
    std::vector<auth::RelayedLogin> relayed;  // what upstreams gave
    WallTime expires = WallTime::max();       // the earliest of all
    bool is_relayed = false;                  // not ours: an upstream's, if anybody's
    bool is_verified = false;                 // it has said so
  };

  std::vector<Wanted> what_is_wanted(const Exchange& exchange,
                                     const auth::TokenRequest& request) const;
  async::Task<Result<Identified>> identify(Exchange& exchange, const Shown& shown,
                                           const std::vector<Wanted>& wanted);
  async::Task<Result<void>> identify_own(Exchange& exchange, const Shown& shown, Identified& out);
  static std::string scope_upstream(const Wanted& one, const std::vector<Wanted>& wanted);
  async::Task<Result<void>> relay(Exchange& exchange, const Shown& shown, const Wanted& wanted,
                                  std::string scope, Identified& out);
  async::Task<Result<upstream::RelayedAuthorization>> log_in_upstream(Exchange& exchange,
                                                                      const Shown& shown,
                                                                      std::string registry,
                                                                      std::string scope);
  async::Task<Result<void>> identify_elsewhere(Exchange& exchange, const Shown& shown,
                                               const std::vector<Wanted>& wanted, Identified& out);
  [[nodiscard]] bool is_for_us(const Shown& shown) const;
  [[nodiscard]] auth::Caller caller_to_seal(const std::string& user, const Identified& identified,
                                            const std::vector<Wanted>& wanted,
                                            bool wants_catalog) const;
  async::Task<> respond(Exchange& exchange, auth::Caller caller);

  const routing::Router& router_;
  Admission& admission_;
};

}  // namespace fairlead::gateway
