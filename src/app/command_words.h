// SPDX-License-Identifier: Apache-2.0
// The words of the command line that name a command, before its options are parsed: `help` and
// words that are no command get a better answer than the parser has for them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::app {

// Without the program's name: "help cache purge" as "cache purge --help".
std::vector<std::string> rewrite_help(std::vector<std::string> words);

// What to say where `word` stands behind `parent`, such as "fairlead cache", and is none of the
// commands that are known there.
std::string unknown_command(const std::string& parent, std::span<const std::string_view> known,
                            std::string_view word);

}  // namespace fairlead::app
