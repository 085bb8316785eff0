// SPDX-License-Identifier: Apache-2.0
// A database file that is damaged: out of the way, but kept for whoever wants to know why.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace fairlead::index {

// Renames `path` to "<path>.damaged-20260131T235959Z", with its log. Nobody has it open. Returns
// the new name.
Result<std::string> move_aside(const std::string& path, WallTime now);

}  // namespace fairlead::index
