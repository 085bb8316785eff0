// SPDX-License-Identifier: Apache-2.0
// serve(): everything wired together, from start to orderly end.
#pragma once

#include "config/config.h"

namespace fairlead::app {

// Serves until SIGTERM or SIGINT, then lets requests in flight finish. SIGHUP reads certificates
// and users again. Returns the exit code. Call once, from the main thread.
int serve(const config::Config& config);

}  // namespace fairlead::app
