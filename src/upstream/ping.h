// SPDX-License-Identifier: Apache-2.0
// ping: what a registry says to GET /v2/, where its wish for a login is learnt (OCI
// distribution-spec 1.1, "Determining Support").
#pragma once

#include <optional>

#include "async/task.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/challenge.h"
#include "upstream/http_transport.h"
#include "upstream/options.h"

namespace fairlead::upstream {

struct Ping {
  int status = 0;                      // 200 or 401
  std::optional<Challenge> challenge;  // Bearer rather than Basic
};

// Asks the registry itself, no mirror. Errors: those of HttpTransport::send, and what any other
// status stands for.
async::Task<Result<Ping>> ping(const RegistryOptions& options, HttpTransport& transport,
                               Secret authorization);

}  // namespace fairlead::upstream
