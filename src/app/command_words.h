// SPDX-License-Identifier: Apache-2.0
// The words of the command line that name a command, before its options are parsed: `help` and
// words that are no command get a better answer than the parser has for them.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fairlead::app {

// Without the program's name: "help cache purge" as "cache purge --help".
std::vector<std::string> rewrite_help(std::vector<std::string> words);

// What to say where a command is expected and `words` has one that `app` does not know; nullopt:
// it knows them.
std::optional<std::string> unknown_command(const CLI::App& app,
                                           const std::vector<std::string>& words);

}  // namespace fairlead::app
