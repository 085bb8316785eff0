// SPDX-License-Identifier: Apache-2.0
// Reading a small file at once: configuration, keys, lists of users.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace fairlead {

// TooLarge when it holds more than `max_bytes`. The error's context is the reason alone, without
// the path. Blocks.
Result<std::string> read_whole_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace fairlead
