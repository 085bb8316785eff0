// SPDX-License-Identifier: Apache-2.0
#include "index/damaged_file.h"

#include <time.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace fairlead::index {
namespace fs = std::filesystem;

namespace {

std::string utc(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), size};
}

}  // namespace

Result<std::string> move_aside(const std::string& path, WallTime now) {
  const std::string first = path + ".damaged-" + utc(now);
  std::error_code ec;
  std::string to = first;
  for (int i = 2; fs::exists(to, ec); ++i) {
    to = first + "-" + std::to_string(i);
  }
  // The log first: alone it must not meet the fresh file.
  for (const std::string_view suffix : {"-wal", "-shm", ""}) {
    const std::string from = path + std::string(suffix);
    fs::rename(from, to + std::string(suffix), ec);
    if (ec && ec != std::errc::no_such_file_or_directory) {
      return errno_error(ec.value(), "rename " + from);
    }
  }
  return to;
}

}  // namespace fairlead::index
