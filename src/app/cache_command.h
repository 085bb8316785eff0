// SPDX-License-Identifier: Apache-2.0
// `fairlead cache stats | list | purge | verify`: what is in a cache directory, and what to do
// with it.
//
// Looking needs nobody's leave: stats, list and the reading part of verify open index and files
// read-only. Changes are made by the process that has the directory: the gateway, which is asked
// over its control socket, or, where none runs, this one.
#pragma once

#include <string>
#include <vector>

#include "cache/image_pattern.h"
#include "config/config.h"

namespace fairlead::app {

enum class CacheVerb { Stats, List, Purge, Verify };

struct CacheCommand {
  CacheVerb verb = CacheVerb::Stats;
  std::vector<std::string> patterns;  // of List (one at most) and Purge
  bool is_json = false;
};

// Returns the exit code: 1 also when verify found something damaged.
int run_cache_command(const config::Config& config, const CacheCommand& command);

}  // namespace fairlead::app
