// SPDX-License-Identifier: Apache-2.0
#include "store/blob_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

namespace fairlead::store {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using OpenDirectory = std::unique_ptr<DIR, CloseDirectory>;

WallTime modified_at(const struct stat& status) {
  const auto since_epoch = std::chrono::seconds(status.st_mtim.tv_sec) +
                           std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return WallTime(std::chrono::duration_cast<WallTime::duration>(since_epoch));
}

// A blob's file lies in the directory of its first two digits: elsewhere nobody would find it.
std::optional<oci::Digest> digest_of_file(oci::DigestAlgorithm algorithm, std::string_view prefix,
                                          std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  return oci::Digest::parse(std::string(oci::to_string(algorithm)).append(":").append(name));
}

// nullptr: not there.
Result<OpenDirectory> open_part(int root, const std::string& path) {
  UniqueFd fd(::openat(root, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return nullptr;
  OpenDirectory part(fd ? ::fdopendir(fd.get()) : nullptr);
  if (!part) return errno_error(errno, "read " + path);
  static_cast<void>(fd.release());  // closed with `part`
  return part;
}

Result<void> walk_part(int root, oci::DigestAlgorithm algorithm, const std::string& prefix,
                       const BlobManager::BlobVisitor& visit) {
  const std::string path =
      std::string("blobs/").append(oci::to_string(algorithm)).append("/").append(prefix);
  auto part = open_part(root, path);
  if (!part) return std::unexpected(std::move(part.error()));
  if (!*part) return {};
  for (;;) {
    errno = 0;
    // The stream is this thread's own.
    const dirent* entry = ::readdir(part->get());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr && errno == 0) return {};
    if (entry == nullptr) return errno_error(errno, "read " + path);
    const auto digest = digest_of_file(algorithm, prefix, entry->d_name);
    if (!digest) continue;
    struct stat status{};
    if (::fstatat(::dirfd(part->get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return errno_error(errno, "stat " + path + "/" + entry->d_name);
    }
    if (!S_ISREG(status.st_mode)) continue;
    visit(*digest, static_cast<std::uint64_t>(status.st_size), modified_at(status));
  }
}

}  // namespace

Result<void> walk_blobs(const std::string& directory, const BlobManager::BlobVisitor& visit) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const UniqueFd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return errno_error(errno, "read " + directory);
  for (const auto algorithm : {oci::DigestAlgorithm::Sha256, oci::DigestAlgorithm::Sha512}) {
    for (const char high : kDigits) {
      for (const char low : kDigits) {
        if (auto walked = walk_part(root.get(), algorithm, {high, low}, visit); !walked) {
          return std::unexpected(std::move(walked.error()).within(directory));
        }
      }
    }
  }
  return {};
}

}  // namespace fairlead::store
