// SPDX-License-Identifier: Apache-2.0
// What is there without being configured. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace fairlead::config {

// The public registries, by the names that image references give them.
std::vector<upstream::RegistryOptions> builtin_registries();

// $XDG_CACHE_HOME/fairlead; root: /var/cache/fairlead; else ~/.cache/fairlead. nullopt: there is no
// home either.
std::optional<std::string> default_cache_directory(const Surroundings& surroundings);

}  // namespace fairlead::config
