// SPDX-License-Identifier: Apache-2.0
// Exchange: what the stages of one request share, and the only thing of it that changes.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
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

  // Set by the stages, in this order.
  oci::Operation operation{};
  routing::Target target{};
  upstream::Registry* registry = nullptr;  // of this worker
  std::string warning{};                   // value of the answer's Warning header; empty: none
};

}  // namespace fairlead::gateway
