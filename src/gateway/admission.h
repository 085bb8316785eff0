// SPDX-License-Identifier: Apache-2.0
// Admission: what the gateway of one worker decides by: who a caller is, what and how much they
// may.
#pragma once

#include <chrono>
#include <string>

#include "auth/authenticator.h"
#include "auth/login_throttle.h"
#include "auth/policy.h"
#include "auth/sealed_token.h"
#include "auth/upload_sessions.h"
#include "auth/users.h"
#include "auth/waiting_line.h"
#include "base/clock.h"
#include "gateway/client_limits.h"
#include "gateway/cors.h"
#include "gateway/relay_rights.h"
#include "gateway/relayed_registries.h"
#include "http/client_address.h"

namespace fairlead::gateway {

// What is referred to must outlive the gateway.
struct Admission {
  // Shared by all workers.
  const auth::Policy& policy;
  const auth::SealedTokens& sealed;
  const auth::UploadSessions& uploads;
  auth::Users* users;  // null: there are none
  auth::LoginThrottle& throttle;
  RelayRights& rights;
  const Clock& clock;
  const http::TrustedProxies& trusted_proxies;
  const Cors& cors;
  ClientLimits& limits;
  auth::WaitingLine& catalog_line;  // of those whose page of the catalog is put together

  // The worker's.
  auth::Authenticator& authenticator;
  RelayedRegistries& relayed;

  // There is something that callers need to show, so GET /v2/ asks for it: docker never sends
  // credentials where that is answered without them.
  bool wants_callers = false;
  std::string public_url;  // where the token service is; empty: where the client asked
  std::chrono::seconds token_ttl{300};
};

}  // namespace fairlead::gateway
