// SPDX-License-Identifier: Apache-2.0
// Every YAML example of these pages is a configuration that loads.
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

constexpr std::string_view kPublicKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAn/akwx2FHEgrs2ElQ1mB\n"
    "BCAIMEl89j0Zyy5tBnmi8wi13dcxf+dXWr3f4UzBuXRMkqYbs48MB6B6WZy4c4+l\n"
    "AixL1rLmWSi4L7OYQDSWQxHQbhFuspUY+BzsAx1YCtWEbLqpMnpDSjJ6frPLHlF1\n"
    "JIRlCv2T2AkEY+CLpxSLdyvy9fki3rJAPrhzpHos6pEpnni1bTHxqdZDjZtgVX5G\n"
    "mhrk6djwgvposhuYlejWa+7H3zp1QESRRzYNy89ZmwvBpKhG8vsmGtZC9jjeDFYd\n"
    "huH8LtEuuNtUOwOjI/TvOEt9df4+NME+N+XeksQV/oMPNMJ3W/fGGo41yh+Hmsqi\n"
    "uwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

// Whatever files and variables the examples name exist.
Result<std::string> read_example_file(const std::filesystem::path& path) {
  const std::string name = path.filename();
  if (name == "token.key") return std::string(64, 'a') + "\n";
  if (name == "token-old.key") return std::string(64, 'b') + "\n";
  if (name == "htpasswd") {
    return "alice:$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\n";
  }
  if (name == "issuer.pem") return std::string(kPublicKey);
  return "content\n";
}

class Documentation : public testing::TestWithParam<const char*> {};

TEST_P(Documentation, ExamplesLoad) {
  const auto page = std::filesystem::path(__FILE__).parent_path() / "../../docs" / GetParam();
  const auto examples = examples_of(page);
  ASSERT_GE(examples.size(), 5U) << page;
  const Surroundings surroundings{
      .environment = {{"HOME", "/home/me"},
                      {"HUB_PASSWORD", "x"},
                      {"JWT_SECRET", std::string(32, 's')},
                      {"PROXY_URL", "http://proxy:3128"}},
      .read_file = [](const auto& path, std::size_t) { return read_example_file(path); }};
  for (const Example& example : examples) {
    const auto loaded = parse(example.text, GetParam(), {}, surroundings);
    if (loaded) {
      // An example may be open to everybody; one in which nobody can push, or a rule is idle, is
      // wrong.
      for (const std::string& warning : loaded->warnings) {
        EXPECT_FALSE(warning.contains("nobody can")) << warning << "\nin line " << example.line;
        EXPECT_FALSE(warning.contains("auth.rules[")) << warning << "\nin line " << example.line;
      }
      continue;
    }
    for (Problem problem : loaded.error()) {
      problem.line += example.line;
      ADD_FAILURE() << to_string(problem);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pages, Documentation,
                         testing::Values("configuration.md", "access.md", "moving.md", "pushing.md",
                                         "s3.md"),
                         [](const auto& test) {
                           const std::string page = test.param;
                           return page.substr(0, page.find('.'));
                         });

}  // namespace
}  // namespace fairlead::config
