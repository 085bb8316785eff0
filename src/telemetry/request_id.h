// SPDX-License-Identifier: Apache-2.0
// Request ids: 16 hex digits, unique enough to find one line among billions.
#pragma once

#include <string>

namespace fairlead::telemetry {

// Thread-safe; random, so that ids tell nothing about how many requests there were.
std::string make_request_id();

}  // namespace fairlead::telemetry
