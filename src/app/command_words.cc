// SPDX-License-Identifier: Apache-2.0
#include "app/command_words.h"

#include <algorithm>

#include "config/nearest.h"
#include "config/problem.h"

namespace fairlead::app {

std::vector<std::string> rewrite_help(std::vector<std::string> words) {
  const auto is_option = [](const std::string& word) { return word.starts_with('-'); };
  const auto end = std::ranges::find_if(words, is_option);
  const auto help = std::find(words.begin(), end, "help");
  // Only as the first word, or the first behind `cache` or `token`: elsewhere it may be a pattern.
  const auto at = help - words.begin();
  if (help == end || at > 1 || (at == 1 && words.front() != "cache" && words.front() != "token")) {
    return words;
  }
  words.erase(help);
  words.emplace_back("--help");
  return words;
}

std::string unknown_command(const std::string& parent, std::span<const std::string_view> known,
                            std::string_view word) {
  const auto nearest = config::nearest_of(known, word);
  return "unknown command " + config::in_quotes(word) +
         (nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?") + "\nRun \"" +
         parent + " --help\" for the commands that there are.";
}

}  // namespace fairlead::app
