// SPDX-License-Identifier: Apache-2.0
#include "s3/nameless_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace fairlead::s3 {

Result<NamelessFile> NamelessFile::make(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return NamelessFile(std::move(fd));
  // Not every file system has those (EISDIR: nor has an old kernel).
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno_error(errno, "create in " + directory);
  std::string path = directory + "/download-XXXXXX";
  fd.reset(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return errno_error(errno, "create in " + directory);
  if (::unlink(path.c_str()) != 0) return errno_error(errno, "unlink " + path);
  return NamelessFile(std::move(fd));
}

Result<void> NamelessFile::reserve(std::uint64_t size) {
  if (size == 0) return {};
  const int rc = ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size));
  if (rc != 0 && errno != EOPNOTSUPP) return errno_error(errno, "reserve space");
  return {};
}

Result<void> NamelessFile::append(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "write");
    size_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> NamelessFile::finish() {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) return errno_error(errno, "truncate");
  return {};
}

Result<std::string> read_piece(int file, std::uint64_t offset, std::uint64_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "read what is to be uploaded");
    if (n == 0) return internal_error(Code::Io, "what is to be uploaded is shorter than it was");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace fairlead::s3
