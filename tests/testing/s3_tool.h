// SPDX-License-Identifier: Apache-2.0
// What the programs that end-to-end tests ask about S3 have in common.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace fairlead::testing {

[[noreturn]] inline void fail(const std::string& why) {
  std::fprintf(stderr, "the S3 tool: %s\n", why.c_str());
  std::exit(1);
}

inline std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

inline std::string from_hex(const std::string& digits) {
  std::string text;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    text += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return text;
}

}  // namespace fairlead::testing
