// SPDX-License-Identifier: Apache-2.0
// The Surroundings of this process: its environment, its files, its user.
#include <unistd.h>

#include <string_view>

#include "base/whole_file.h"
#include "config/config.h"

namespace fairlead::config {
Surroundings process_surroundings() {
  Surroundings out{.read_file = read_whole_file, .is_superuser = ::geteuid() == 0};
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view entry(*variable);
    const auto equals = entry.find('=');
    if (equals != entry.npos)
      out.environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

}  // namespace fairlead::config
