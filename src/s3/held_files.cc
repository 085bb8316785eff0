// SPDX-License-Identifier: Apache-2.0
#include "s3/held_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace fairlead::s3 {
namespace {

bool is_held(int fd) { return ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; }

bool is_same_file(int a, int b) {
  struct stat first{};
  struct stat second{};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
         first.st_dev == second.st_dev;
}

}  // namespace

Result<void> HeldFiles::add(const oci::Digest& digest, int file, Purpose purpose,
                            std::optional<ObjectHead> head) {
  if (::flock(file, LOCK_SH | LOCK_NB) != 0) return errno_error(errno, "lock a download");
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, "open " + path);
  const std::lock_guard lock(mutex_);
  forget_what_nobody_holds();
  files_.emplace(digest, Held{std::move(fd), purpose, std::move(head)});
  return {};
}

bool HeldFiles::is_used(const oci::Digest& digest) {
  const std::lock_guard lock(mutex_);
  forget_what_nobody_holds();
  const auto [first, last] = files_.equal_range(digest);
  return std::any_of(first, last,
                     [](const auto& file) { return file.second.purpose == Purpose::Use; });
}

std::optional<ObjectHead> HeldFiles::origin(const oci::Digest& digest, int file) const {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = files_.equal_range(digest);
  const auto found = std::find_if(first, last, [&](const auto& held) {
    return held.second.head && is_same_file(held.second.fd.get(), file);
  });
  return found == last ? std::nullopt : found->second.head;
}

std::size_t HeldFiles::size() const {
  const std::lock_guard lock(mutex_);
  return files_.size();
}

void HeldFiles::forget_what_nobody_holds() {
  std::erase_if(files_, [](const auto& file) { return !is_held(file.second.fd.get()); });
}

}  // namespace fairlead::s3
