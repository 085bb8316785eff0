// SPDX-License-Identifier: Apache-2.0
// Exchange: what the stages of one request share, and the only thing of it that changes.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "auth/caller.h"
#include "base/clock.h"
#include "gateway/client_limits.h"
#include "gateway/cors.h"
#include "http/connection.h"
#include "http/request.h"
#include "oci/operation.h"
#include "routing/router.h"
#include "telemetry/access_record.h"
#include "upstream/registry.h"

namespace fairlead::gateway {

struct Exchange {
  const http::Request& request;
  http::Responder& responder;
  SteadyTime started;
  telemetry::AccessRecord record;  // record.id is the request's id

  // How the client came here, as far as it is to be believed.
  std::string client{};           // address: "10.0.0.1", "unix"
  std::string authority{};        // the host that it asked, port included
  bool is_secure = false;         // over TLS
  std::string_view public_url{};  // where it finds us; empty: where it asked
  const Cors* cors = nullptr;     // null: no web page reads answers
  ClientLimits* pace = nullptr;   // of what is sent; null: none

  // Set by the stages, in this order.
  auth::CallerPtr caller{};
  std::string limit_key{};  // whose limits count
  oci::Operation operation{};
  routing::Target target{};
  upstream::Registry* registry = nullptr;  // of this worker

  // The registry is used in the caller's own name.
  bool is_relayed = false;
  std::string relayed_as{};                                  // tells callers apart; no secret
  std::shared_ptr<upstream::Registry> registry_of_caller{};  // `registry`, if it is theirs alone

  std::string warning{};  // value of the answer's Warning header; empty: none
};

}  // namespace fairlead::gateway
