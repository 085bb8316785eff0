// SPDX-License-Identifier: Apache-2.0
// `fairlead token issue | inspect`.
#pragma once

#include <string>

#include "config/config.h"
#include "control/token_issue.h"

namespace fairlead::app {

enum class TokenVerb { Issue, Inspect };

struct TokenCommand {
  TokenVerb verb = TokenVerb::Issue;
  control::TokenWish wish;
  std::string key_file;     // to sign with; empty: a secret of the configuration
  std::string token = "-";  // to inspect; "-": from standard input
  bool is_json = false;
};

// Returns the exit code: 0 issued, or accepted; 1 not.
int run_token_command(const config::Config& config, const TokenCommand& command);

}  // namespace fairlead::app
