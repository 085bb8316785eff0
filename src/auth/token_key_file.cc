// SPDX-License-Identifier: Apache-2.0
#include "auth/token_key_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "auth/local_key.h"
#include "base/unique_fd.h"

namespace fairlead::auth {
namespace {

constexpr std::size_t kFileSize = 2 * LocalKey::kSize + 1;

std::unexpected<Error> refused(Code code, const std::string& path, std::string_view why) {
  return internal_error(code, "token key file " + path + " " + std::string(why));
}

std::unexpected<Error> failed(int error_number, const std::string& what, const std::string& path) {
  Error error = errno_error(error_number, what + " token key file " + path).error();
  error.context += "; or name keys of your own (auth.keys)";
  return std::unexpected(std::move(error));
}

enum class Owner { OursOnly, Any };

// The attack: whoever knows the key gives themselves every right, so it must be nobody's but ours.
// The group is the operator's choice: volumes of Kubernetes with an fsGroup are made readable to it
// at every start.
Result<void> check_owner(int fd, const std::string& path, Owner owner) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return failed(errno, "stat", path);
  if (!S_ISREG(status.st_mode)) return refused(Code::Denied, path, "is no regular file");
  if (owner == Owner::OursOnly && status.st_uid != ::geteuid() && status.st_uid != 0) {
    return refused(Code::Denied, path, "is owned by another user, who may know the key");
  }
  if ((status.st_mode & S_IRWXO) != 0) {
    return refused(Code::Denied, path,
                   "may be read or written by every user: remove it, so that a new key is made, "
                   "or forbid that (chmod o= ...) if nobody has read it");
  }
  return {};
}

Result<Secret> read_key(int fd, const std::string& path) {
  std::array<char, kFileSize + 1> held;  // one more: too long is seen
  std::size_t size = 0;
  while (size < held.size()) {
    const ssize_t n = ::read(fd, held.data() + size, held.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno, "read", path);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  std::string text(held.data(), size);
  if (text.ends_with('\n')) text.pop_back();
  Secret hex(std::move(text));
  if (!LocalKey::parse(hex)) {
    return refused(Code::Corrupt, path,
                   "does not hold 64 hexadecimal digits: remove it, so that a new key is made");
  }
  return hex;
}

// nullopt: there is none.
Result<std::optional<Secret>> read_file(const std::string& path, Owner owner) {
  // Not blocking: it could be a pipe. The attack: a link, put there by somebody who may write to
  // the directory, to a file of ours whose contents they know.
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd && errno == ELOOP) {
    return refused(Code::Denied, path,
                   "is a symbolic link, which is not followed: name the file itself (auth.keys)");
  }
  if (!fd) return failed(errno, "open", path);
  if (auto checked = check_owner(fd.get(), path, owner); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return read_key(fd.get(), path);
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno, "write", path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return failed(errno, "fsync", path);
  return {};
}

Result<void> sync_directory_of(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path();
  if (directory.empty()) directory = ".";
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return failed(errno, "fsync the directory of", path);
  return {};
}

// Gives a finished file its name, unless that is taken (EEXIST). 0 or an error number.
int publish(const std::string& temporary, const std::string& path) {
  if (::link(temporary.c_str(), path.c_str()) == 0) return 0;
  if (errno == EEXIST) return EEXIST;
  // Some file systems have no hard links.
  const int linking = errno;
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
    return 0;
  }
  return errno == EEXIST ? EEXIST : linking;
}

// After it there is a file, ours or that of a process that was faster.
Result<void> make_file(const std::string& path) {
  const std::string unique = LocalKey::random().hex().reveal().substr(0, 16);
  const std::string temporary = path + "." + unique + ".new";
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return failed(errno, "create", path);
  struct Removal {
    const std::string& path;
    ~Removal() { ::unlink(path.c_str()); }
  } const removal{temporary};

  const Secret hex = LocalKey::random().hex();
  if (auto written = write_all(fd.get(), hex.reveal() + "\n", path); !written) return written;
  const int error_number = publish(temporary, path);
  if (error_number != 0 && error_number != EEXIST) return failed(error_number, "create", path);
  return sync_directory_of(path);
}

}  // namespace

Result<Secret> read_or_make_token_key(const std::string& path) {
  auto key = read_file(path, Owner::OursOnly);
  if (key && !*key) {
    if (auto made = make_file(path); !made) return std::unexpected(std::move(made.error()));
    key = read_file(path, Owner::OursOnly);
  }
  if (!key) return std::unexpected(std::move(key.error()));
  if (!*key) return refused(Code::NotFound, path, "was removed while it was made");
  return **std::move(key);
}

Result<Secret> read_token_key(const std::string& path) {
  auto key = read_file(path, Owner::Any);
  if (!key) return std::unexpected(std::move(key.error()));
  if (!*key)
    return refused(Code::NotFound, path, "is not there: the gateway makes it when it starts");
  return **std::move(key);
}

}  // namespace fairlead::auth
