// SPDX-License-Identifier: Apache-2.0
// ServedRegistry: one registry as a worker serves it.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "routing/delivery.h"
#include "upstream/registry.h"

namespace fairlead::gateway {

struct ServedRegistry {
  upstream::Registry* registry = nullptr;  // of this worker
  routing::Delivery delivery{};            // where the route says nothing else
  bool has_bucket = false;                 // `registry` reads its content there, and may locate it
  bool in_catalog = false;                 // its repositories are named in the catalog
};

// By name.
using Registries = std::map<std::string, ServedRegistry, std::less<>>;

}  // namespace fairlead::gateway
