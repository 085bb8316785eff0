// SPDX-License-Identifier: Apache-2.0
// Asking a process on this machine over its unix socket. Blocks; for the command line.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"

namespace fairlead::control {

struct LocalAnswer {
  int status = 0;
  std::string body;
};

// POSTs `target` (path and query) without a body. An error: nobody answers there; Timeout: not
// within `limit`, which is long, for a purge of all is much work.
Result<LocalAnswer> post_local(const std::string& socket_path, const std::string& target,
                               std::chrono::milliseconds limit = std::chrono::minutes(10));

}  // namespace fairlead::control
