// SPDX-License-Identifier: Apache-2.0
// Every YAML example of docs/configuration.md is a configuration that loads.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/config.h"

namespace fairlead::config {
namespace {

struct Example {
  std::size_t line = 0;  // of the page
  std::string text;
};

std::vector<Example> examples_of(const std::filesystem::path& page) {
  std::ifstream in(page);
  std::vector<Example> out;
  bool inside = false;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line == "```yaml") {
      inside = true;
      out.push_back({.line = number, .text = {}});
    } else if (line.starts_with("```")) {
      inside = false;
    } else if (inside) {
      out.back().text += line + "\n";
    }
  }
  return out;
}

TEST(Documentation, ExamplesLoad) {
  const auto page = std::filesystem::path(__FILE__).parent_path() / "../../docs/configuration.md";
  const auto examples = examples_of(page);
  ASSERT_GE(examples.size(), 5U) << page;

  // Whatever files and variables the examples name exist.
  const Surroundings surroundings{
      .environment = {{"HOME", "/home/me"},
                      {"HUB_PASSWORD", "x"},
                      {"PROXY_URL", "http://proxy:3128"}},
      .read_file = [](const auto&, std::size_t) -> Result<std::string> { return "content\n"; }};
  for (const Example& example : examples) {
    const auto loaded = parse(example.text, "configuration.md", {}, surroundings);
    if (loaded) continue;
    for (Problem problem : loaded.error()) {
      problem.line += example.line;
      ADD_FAILURE() << to_string(problem);
    }
  }
}

}  // namespace
}  // namespace fairlead::config
