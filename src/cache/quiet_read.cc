// SPDX-License-Identifier: Apache-2.0
#include "cache/quiet_read.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace fairlead::cache {
namespace {

// What is in memory already, from `offset` on without a gap. Nothing where the file system cannot
// tell.
std::size_t read_cached(int fd, MutableByteView buffer, std::uint64_t offset) {
  const iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  const ssize_t n = ::preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

}  // namespace

Result<std::size_t> read_quietly(int fd, MutableByteView buffer, std::uint64_t offset) {
  // Reading ahead would bring in pages that the next call took for somebody else's.
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  const std::size_t cached = read_cached(fd, buffer, offset);
  std::size_t read = cached;
  while (read < buffer.size()) {
    const ssize_t n =
        ::pread(fd, buffer.data() + read, buffer.size() - read, static_cast<off_t>(offset + read));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "read");
    if (n == 0) break;
    read += static_cast<std::size_t>(n);
  }
  if (read > cached) {
    ::posix_fadvise(fd, static_cast<off_t>(offset + cached), static_cast<off_t>(read - cached),
                    POSIX_FADV_DONTNEED);
  }
  return read;
}

}  // namespace fairlead::cache
