// SPDX-License-Identifier: Apache-2.0
// `fairlead explain IMAGE`: which route, rule and registry decide.
#pragma once

#include <string>

#include "config/config.h"

namespace fairlead::app {

struct ExplainCommand {
  std::string image;
  std::string as;          // user name; empty or "anonymous": without credentials
  std::string host;        // that the client asks; empty: as the image says
  std::string name_space;  // ?ns=
  std::string action = "pull";
  bool is_json = false;
};

// Returns the exit code: 0 allowed, 1 not.
int run_explain_command(const config::Config& config, const ExplainCommand& command);

}  // namespace fairlead::app
