// SPDX-License-Identifier: Apache-2.0
// FakeSurroundings: files and variables for tests, in memory.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "config/config.h"

namespace fairlead::config {

struct FakeSurroundings {
  std::map<std::string, std::string, std::less<>> environment{{"HOME", "/home/me"}};
  std::map<std::string, std::string> files;
  bool is_superuser = false;

  // Refers to this object.
  [[nodiscard]] Surroundings get() const {
    auto read = [this](const std::filesystem::path& path,
                       std::size_t max_bytes) -> Result<std::string> {
      const auto found = files.find(path.string());
      if (found == files.end()) return internal_error(Code::NotFound, "No such file or directory");
      if (found->second.size() > max_bytes) return internal_error(Code::TooLarge, "too large");
      return found->second;
    };
    return {.environment = environment, .read_file = read, .is_superuser = is_superuser};
  }
};

}  // namespace fairlead::config
