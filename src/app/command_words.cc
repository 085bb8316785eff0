// SPDX-License-Identifier: Apache-2.0
#include "app/command_words.h"

#include <algorithm>
#include <string_view>

#include "config/nearest.h"
#include "config/problem.h"

namespace fairlead::app {
namespace {

std::vector<std::string_view> commands_of(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

}  // namespace

std::vector<std::string> rewrite_help(std::vector<std::string> words) {
  const auto is_option = [](const std::string& word) { return word.starts_with('-'); };
  const auto end = std::ranges::find_if(words, is_option);
  const auto help = std::find(words.begin(), end, "help");
  // Only as the first word, or the first behind `cache`: elsewhere it may be a pattern.
  const auto at = help - words.begin();
  if (help == end || at > 1 || (at == 1 && words.front() != "cache")) return words;
  words.erase(help);
  words.emplace_back("--help");
  return words;
}

std::optional<std::string> unknown_command(const CLI::App& app,
                                           const std::vector<std::string>& words) {
  const CLI::App* parent = &app;
  std::string path = "fairlead";
  for (const std::string& word : words) {
    const auto names = commands_of(*parent);
    if (names.empty() || word.starts_with('-')) return std::nullopt;
    path += " " + word;
    if (std::ranges::count(names, word) > 0) {
      parent = parent->get_subcommand(word);
      continue;
    }
    path.resize(path.size() - word.size());
    const auto nearest = config::nearest_of(names, word);
    return "unknown command " + config::in_quotes(word) +
           (nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?") + "\nRun \"" +
           path + "--help\" for the commands that there are.";
  }
  return std::nullopt;
}

}  // namespace fairlead::app
