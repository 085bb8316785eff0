// SPDX-License-Identifier: Apache-2.0
// A docker credential helper: a program that is given a registry's host on standard input and
// answers {"ServerURL":"...","Username":"...","Secret":"..."} on standard output, or fails.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "upstream/credentials.h"

namespace fairlead::upstream {

// Runs `argv` and waits, at most until `deadline` from now; then it is killed. Blocks: call it in
// a BlockingPool. Inherits the environment and no descriptors. Errors are Internal: the operator
// configured the program; Unauthorized when it has no credentials for `server`.
Result<Credentials> run_credential_helper(const std::vector<std::string>& argv,
                                          const std::string& server,
                                          std::chrono::milliseconds deadline);

// Its answer. Pure.
Result<Credentials> parse_helper_answer(std::string_view json);

}  // namespace fairlead::upstream
