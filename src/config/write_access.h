// SPDX-License-Identifier: Apache-2.0
// What must hold between routes that let something be written, the registries behind them, and
// `auth`. Each part may be right by itself, and still nobody can push, or everybody can.
#pragma once

#include <string>

#include "config/config.h"
#include "config/section.h"

namespace fairlead::config {

// Adds what it finds to the reading: problems where there is nothing to write to, else warnings.
// What only a relayed registry or a JWT's access list could give is not warned of.
void check_write_access(const Config& config, Reading& reading);

// A pattern that matches every qualified name that `route` has.
std::string pattern_of(const routing::RouteOptions& route);

}  // namespace fairlead::config
