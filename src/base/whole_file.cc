// SPDX-License-Identifier: Apache-2.0
#include "base/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/unique_fd.h"

namespace fairlead {
namespace {

std::unexpected<Error> reason(int error_number) {
  const Code code = error_number == ENOENT ? Code::NotFound : Code::Io;
  return internal_error(code, std::generic_category().message(error_number));
}

}  // namespace

Result<std::string> read_whole_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return reason(errno);
  std::string out;
  std::array<char, 16384> piece;  // NOLINT: only ever written
  while (true) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return reason(errno);
    if (count == 0) return out;
    out.append(piece.data(), static_cast<std::size_t>(count));
    if (out.size() > max_bytes) {
      return internal_error(Code::TooLarge,
                            "holds more than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

}  // namespace fairlead
