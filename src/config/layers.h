// SPDX-License-Identifier: Apache-2.0
// Layers: the environment and the command line, laid over the file's document.
//
// Both become nodes of the same tree, so that one schema reads and checks every layer. A node that
// came from here carries its origin, which is what a problem with it names. The scalar keys of
// `server`, `cache` and `log` have a variable: FAIRLEAD_ and the key's path in capitals.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/document.h"

namespace fairlead::config {

// An empty variable counts as unset.
void apply_environment(Node& root, const Surroundings& surroundings);
void apply_overrides(Node& root, const Overrides& overrides);

// One warning for each FAIRLEAD_ variable that is set and means nothing; those in `used`, which
// the configuration itself refers to, mean something.
std::vector<Problem> unknown_variables(const Surroundings& surroundings,
                                       const std::set<std::string, std::less<>>& used);

}  // namespace fairlead::config
