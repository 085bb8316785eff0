// SPDX-License-Identifier: Apache-2.0
#include "store/disk_blob_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "store/blob_walk.h"

namespace fairlead::store {

namespace fs = std::filesystem;

namespace {

Result<void> make_directories(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return errno_error(ec.value(), "create directory " + path);
  return {};
}

// Starting fails by it, so it says what the operator can do.
std::unexpected<Error> unusable(Error error, const std::string& where) {
  error = std::move(error).within(where);
  error.context +=
      "; name one that this user can create and write to (cache.directory, --cache-directory)";
  return std::unexpected(std::move(error));
}

std::unexpected<Error> too_large(const std::optional<oci::Digest>& digest) {
  return internal_error(Code::NoSpace, (digest ? digest->str() : "what is being written") +
                                           " is larger than the whole cache may be");
}

// One level: what is above `path` is there, or this fails.
Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST) return {};
  return errno_error(errno, "create directory " + path);
}

// That the file is in use (blob_store.h). Not getting it is no reason not to read: somebody is
// about to unlink the file, or the file system has no locks.
void mark_in_use(int fd) { ::flock(fd, LOCK_SH | LOCK_NB); }

enum class Holding {
  Nothing,  // also: it is not there
  Cache,
  Other,
};

// What `directory` holds, by the names in it. What a file system has at its top is nothing.
Result<Holding> look_into(const std::string& directory) {
  std::error_code ec;
  if (fs::is_directory(directory + "/blobs", ec)) return Holding::Cache;
  if (fs::is_regular_file(directory + "/lock", ec)) return Holding::Cache;
  if (!fs::is_directory(directory, ec)) return Holding::Nothing;
  for (fs::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().filename() != "lost+found") return Holding::Other;
  }
  if (ec) return errno_error(ec.value(), "read " + directory);
  return Holding::Nothing;
}

std::unexpected<Error> no_cache_in(const std::string& directory) {
  return internal_error(Code::NotFound, "there is no Fairlead cache in " + directory);
}

constexpr std::string_view kUnnamed = "unnamed";

// "<hex>.<n>" or "unnamed.<n>", as begin() and begin_unnamed() call what is on its way.
bool is_temporary_name(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == name.npos) return false;
  const std::string_view number = name.substr(dot + 1);
  if (number.empty() || number.find_first_not_of("0123456789") != name.npos) return false;
  const std::string_view what = name.substr(0, dot);
  if (what == kUnnamed) return true;
  return (dot == 64 || dot == 128) && what.find_first_not_of("0123456789abcdef") == name.npos;
}

Result<void> sync_directory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return errno_error(errno, "fsync " + path);
  return {};
}

}  // namespace

class DiskIngest final : public Ingest {
 public:
  DiskIngest(DiskBlobStore& store, std::optional<oci::Digest> digest, std::string path, UniqueFd fd)
      : store_(store), digest_(std::move(digest)), path_(std::move(path)), fd_(std::move(fd)) {}

  ~DiskIngest() override { discard(); }

  void discard() override {
    if (!std::exchange(is_settled_, true)) ::unlink(path_.c_str());
  }

  Result<void> write(ByteView bytes) override {
    if (store_.is_too_large(size_ + bytes.size())) return too_large(digest_);
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(errno, "write " + path_);
      size_ += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  void name(const oci::Digest& digest) override { digest_ = digest; }

  Result<void> commit() override {
    if (!digest_) return internal_error(Code::InvalidArgument, path_ + " has no digest yet");
    // What was reserved beyond the end, when an upstream promised more than it sent.
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
      return errno_error(errno, "truncate " + path_);
    }
    if (auto published = store_.publish(path_, fd_.get(), *digest_); !published) return published;
    is_settled_ = true;
    return {};
  }

  [[nodiscard]] int fd() const override { return fd_.get(); }

 private:
  DiskBlobStore& store_;
  std::optional<oci::Digest> digest_;
  std::string path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
  bool is_settled_ = false;  // committed or discarded
};

DiskBlobStore::DiskBlobStore(std::string directory, const DiskStoreOptions& options, UniqueFd lock)
    : directory_(std::move(directory)),
      options_(options),
      place_(::open(directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      lock_(std::move(lock)) {}

Result<std::unique_ptr<DiskBlobStore>> DiskBlobStore::open_directory(
    const std::string& directory, const DiskStoreOptions& options) {
  const std::string where = "cache directory " + directory;
  const auto holding = look_into(directory);
  if (!holding) return unusable(holding.error(), where);
  if (options.must_exist && *holding != Holding::Cache) return no_cache_in(directory);
  if (*holding == Holding::Other) {
    return internal_error(Code::InvalidArgument,
                          where +
                              " is not empty and no Fairlead cache: name an empty or a new "
                              "directory, or one that was a cache before (cache.directory, "
                              "--cache-directory)");
  }
  // blobs/ first: by it a start that was cut short is known.
  for (const auto& path :
       {directory, directory + "/blobs/sha256", directory + "/blobs/sha512", directory + "/tmp"}) {
    if (auto made = make_directories(path); !made) {
      return unusable(std::move(made.error()), where);
    }
  }
  const std::string lock_path = directory + "/lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return unusable(errno_error(errno, "open lock").error(), where);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return internal_error(Code::Unavailable, where +
                                                 " is in use by another process; give each its own "
                                                 "(cache.directory, --cache-directory)");
  }
  std::unique_ptr<DiskBlobStore> store(new DiskBlobStore(directory, options, std::move(lock)));
  if (auto removed = store->remove_leftovers(); !removed) {
    return unusable(std::move(removed.error()), where);
  }
  return store;
}

Result<std::unique_ptr<DiskBlobStore>> DiskBlobStore::open_read_only(const std::string& directory) {
  std::error_code ec;
  if (!fs::is_directory(directory, ec)) {
    return internal_error(Code::NotFound, "there is no cache directory " + directory);
  }
  const auto holding = look_into(directory);
  if (!holding) return std::unexpected(holding.error());
  if (*holding == Holding::Other) return no_cache_in(directory);
  return std::unique_ptr<DiskBlobStore>(new DiskBlobStore(directory, {}, UniqueFd()));
}

// Only what is ours by kind and name: a directory that was named by mistake may have a tmp/.
Result<void> DiskBlobStore::remove_leftovers() {
  std::error_code ec;
  for (fs::directory_iterator it(directory_ + "/tmp", ec), end; !ec && it != end;
       it.increment(ec)) {
    std::error_code removing;
    if (!is_temporary_name(it->path().filename().native())) continue;
    if (!fs::is_regular_file(it->symlink_status(removing))) continue;
    if (fs::remove(it->path(), removing)) ++leftovers_removed_;
    if (removing) return errno_error(removing.value(), "remove " + it->path().string());
  }
  if (ec) return errno_error(ec.value(), "read tmp");
  return {};
}

std::string DiskBlobStore::blob_path(const oci::Digest& digest) const {
  const std::string_view hex = digest.hex();
  std::string path;
  path.reserve(directory_.size() + hex.size() + 20);
  path.append(directory_).append("/blobs/").append(oci::to_string(digest.algorithm()));
  path.append("/").append(hex.substr(0, 2)).append("/").append(hex);
  return path;
}

Result<std::optional<BlobFile>> DiskBlobStore::open(const oci::Digest& digest) {
  auto file = inspect(digest);
  if (file && *file) mark_in_use((*file)->fd.get());
  return file;
}

Result<std::optional<BlobFile>> DiskBlobStore::inspect(const oci::Digest& digest) {
  const std::string path = blob_path(digest);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return errno_error(errno, "open " + path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return errno_error(errno, "stat " + path);
  if (!S_ISREG(status.st_mode)) return internal_error(Code::Io, path + " is not a regular file");
  return BlobFile{std::move(fd), static_cast<std::uint64_t>(status.st_size)};
}

// tmp/ is made again when somebody emptied the cache directory. When that is gone itself, its disk
// may not be mounted: nothing is written into what is left in its place.
Result<UniqueFd> DiskBlobStore::create_temporary(const std::string& path) const {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(path.c_str(), kFlags, 0440));
  if (!fd && errno == ENOENT) {
    if (auto made = make_directory(directory_ + "/tmp"); !made) {
      return std::unexpected(std::move(made.error()));
    }
    fd.reset(::open(path.c_str(), kFlags, 0440));
  }
  if (!fd) return errno_error(errno, "create " + path);
  return fd;
}

Result<std::unique_ptr<DiskIngest>> DiskBlobStore::begin_as(std::string_view name,
                                                            std::optional<oci::Digest> digest) {
  std::string path = directory_ + "/tmp/";
  path.append(name).append(".").append(std::to_string(next_temporary_++));
  auto fd = create_temporary(path);
  if (!fd) return std::unexpected(std::move(fd.error()));
  mark_in_use(fd->get());
  return std::make_unique<DiskIngest>(*this, std::move(digest), std::move(path), *std::move(fd));
}

Result<std::unique_ptr<Ingest>> DiskBlobStore::begin(const oci::Digest& digest,
                                                     std::optional<std::uint64_t> size) {
  if (size && is_too_large(*size)) return too_large(digest);
  auto ingest = begin_as(digest.hex(), digest);
  if (!ingest) return std::unexpected(std::move(ingest.error()));
  if (size && *size > 0) {
    const int rc = ::fallocate((*ingest)->fd(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(*size));
    if (rc != 0 && errno != EOPNOTSUPP) {
      return errno_error(errno, "reserve space for " + digest.str());
    }
  }
  return *std::move(ingest);
}

Result<std::unique_ptr<Ingest>> DiskBlobStore::begin_unnamed() {
  auto ingest = begin_as(kUnnamed, std::nullopt);
  if (!ingest) return std::unexpected(std::move(ingest.error()));
  return *std::move(ingest);
}

// <directory>/blobs/<algorithm>/<ab>, each where it is missing, and lasting.
Result<void> DiskBlobStore::make_parents(const std::string& blob_path) const {
  for (std::size_t end = directory_.size();
       (end = blob_path.find('/', end + 1)) != blob_path.npos;) {
    const std::string part = blob_path.substr(0, end);
    if (auto made = make_directory(part); !made) return made;
    if (auto synced = sync_directory(part.substr(0, part.rfind('/'))); !synced) return synced;
  }
  return {};
}

Result<void> DiskBlobStore::publish(const std::string& temporary, int fd,
                                    const oci::Digest& digest) {
  if (::fsync(fd) != 0) return errno_error(errno, "fsync " + temporary);
  const std::string path = blob_path(digest);
  const auto rename = [&]() -> int {
    const std::lock_guard lock(names_);
    return ::rename(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
  };
  int failure = rename();
  if (failure == ENOENT) {
    if (auto made = make_parents(path); !made) return made;
    failure = rename();
  }
  if (failure != 0) return errno_error(failure, "rename to " + path);
  auto synced = sync_directory(path.substr(0, path.rfind('/')));
  // Who is told that it failed makes no row: the file would take space that nobody counts.
  if (!synced) std::ignore = unlink_if_same(path, fd);
  return synced;
}

Result<Removal> DiskBlobStore::unlink_if_same(const std::string& path, int fd) {
  struct stat file{};
  if (::fstat(fd, &file) != 0) return errno_error(errno, "stat " + path);
  const std::lock_guard lock(names_);
  struct stat now{};
  if (::lstat(path.c_str(), &now) == 0) {
    if (now.st_ino != file.st_ino || now.st_dev != file.st_dev) return Removal::InUse;
    if (::unlink(path.c_str()) == 0) return Removal::Removed;
  }
  if (errno == ENOENT) return Removal::Absent;
  return errno_error(errno, "remove " + path);
}

Result<Removal> DiskBlobStore::remove(const oci::Digest& digest) {
  const std::string path = blob_path(digest);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return Removal::Absent;
  if (!fd) return errno_error(errno, "open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Removal::InUse;
    return errno_error(errno, "lock " + path);
  }
  return unlink_if_same(path, fd.get());
}

Result<Removal> DiskBlobStore::remove_damaged(const oci::Digest& digest, const BlobFile& found) {
  return unlink_if_same(blob_path(digest), found.fd.get());
}

// By the directory's own number and not by a file in it: one that was emptied is in place.
Result<void> DiskBlobStore::check_in_place() {
  struct stat opened{};
  struct stat now{};
  if (::fstat(place_.get(), &opened) == 0 && ::stat(directory_.c_str(), &now) == 0 &&
      opened.st_ino == now.st_ino && opened.st_dev == now.st_dev) {
    return {};
  }
  return internal_error(Code::Io, "the cache directory " + directory_ + " has vanished");
}

Result<void> DiskBlobStore::for_each(const BlobVisitor& visit) {
  return walk_blobs(directory_, visit);
}

}  // namespace fairlead::store
