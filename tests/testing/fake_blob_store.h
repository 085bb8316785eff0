// SPDX-License-Identifier: Apache-2.0
// FakeBlobStore: blobs in memory, and a disk that is full or fails when a test wants it so.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "store/blob_store.h"

namespace fairlead::testing {

// Thread-safe; the faults are set before use.
class FakeBlobStore final : public store::BlobStore {
 public:
  struct Faults {
    bool begin_finds_no_space = false;
    std::uint64_t space = std::numeric_limits<std::uint64_t>::max();  // bytes of one blob
    bool commit_fails = false;
    bool remove_fails = false;
    bool is_away = false;  // and with it all blobs, until it is back
    // Called after each removal of a file, before remove() returns: a place to let others run.
    std::function<void()> on_removed{};
    // Called by each commit() that goes well: a place to let others run.
    std::function<void()> on_commit{};
    // Asked before each open(): an error to answer with, and a place to let others run.
    std::function<std::optional<Error>()> on_open{};
  };
  Faults faults;

  Result<std::optional<store::BlobFile>> open(const oci::Digest& digest) override {
    if (faults.on_open) {
      if (auto error = faults.on_open()) return std::unexpected(*std::move(error));
    }
    auto file = inspect(digest);
    if (*file) ::flock((*file)->fd.get(), LOCK_SH | LOCK_NB);
    return file;
  }

  Result<std::optional<store::BlobFile>> inspect(const oci::Digest& digest) override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end() || faults.is_away) return std::nullopt;
    return file_of(found->second.get());
  }

  Result<std::unique_ptr<store::Ingest>> begin(const oci::Digest& digest,
                                               std::optional<std::uint64_t>) override {
    ++begun_;
    if (faults.is_away) return errno_error(ENOENT, "create");
    if (faults.begin_finds_no_space) return errno_error(ENOSPC, "reserve space");
    return std::make_unique<MemoryIngest>(*this, digest);
  }

  Result<std::unique_ptr<store::Ingest>> begin_unnamed() override {
    ++begun_;
    if (faults.is_away) return errno_error(ENOENT, "create");
    if (faults.begin_finds_no_space) return errno_error(ENOSPC, "create");
    return std::make_unique<MemoryIngest>(*this, std::nullopt);
  }

  Result<store::Removal> remove(const oci::Digest& digest) override {
    if (faults.remove_fails) return errno_error(EIO, "remove");
    {
      const std::lock_guard lock(mutex_);
      const auto found = blobs_.find(digest);
      if (found == blobs_.end() || faults.is_away) return store::Removal::Absent;
      const auto file = file_of(found->second.get());
      if (::flock(file.fd.get(), LOCK_EX | LOCK_NB) != 0) return store::Removal::InUse;
      blobs_.erase(found);
    }
    if (faults.on_removed) faults.on_removed();
    return store::Removal::Removed;
  }

  Result<store::Removal> remove_damaged(const oci::Digest& digest,
                                        const store::BlobFile& file) override {
    if (faults.remove_fails) return errno_error(EIO, "remove");
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end() || faults.is_away) return store::Removal::Absent;
    if (inode_of(found->second.get()) != inode_of(file.fd.get())) return store::Removal::InUse;
    blobs_.erase(found);
    return store::Removal::Removed;
  }

  Result<void> check_in_place() override {
    if (faults.is_away) return internal_error(Code::Io, "the cache directory has vanished");
    return {};
  }

  // Visits what was there when it was called.
  Result<void> for_each(const BlobVisitor& visit) override {
    std::map<oci::Digest, std::uint64_t> blobs;
    {
      const std::lock_guard lock(mutex_);
      if (faults.is_away) return {};  // what is in its place is empty
      for (const auto& [digest, fd] : blobs_) blobs.emplace(digest, file_of(fd.get()).size);
    }
    for (const auto& [digest, size] : blobs) visit(digest, size, WallTime{});
    return {};
  }

  [[nodiscard]] bool holds(const oci::Digest& digest) const {
    const std::lock_guard lock(mutex_);
    return blobs_.contains(digest);
  }
  // Takes a blob away as somebody at the disk would, used or not.
  void lose(const oci::Digest& digest) {
    const std::lock_guard lock(mutex_);
    blobs_.erase(digest);
  }
  [[nodiscard]] std::size_t begun() const { return begun_; }
  // Ingests that live.
  [[nodiscard]] std::size_t ingests() const { return ingests_; }

 private:
  static store::BlobFile file_of(int fd) {
    struct stat status{};
    ::fstat(fd, &status);
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return {UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
            static_cast<std::uint64_t>(status.st_size)};
  }

  static ino_t inode_of(int fd) {
    struct stat status{};
    ::fstat(fd, &status);
    return status.st_ino;
  }

  class MemoryIngest final : public store::Ingest {
   public:
    MemoryIngest(FakeBlobStore& store, std::optional<oci::Digest> digest)
        : store_(store), digest_(std::move(digest)), fd_(::memfd_create("blob", MFD_CLOEXEC)) {
      ::flock(fd_.get(), LOCK_SH);
      ++store_.ingests_;
    }
    ~MemoryIngest() override { --store_.ingests_; }

    Result<void> write(ByteView bytes) override {
      if (size_ + bytes.size() > store_.faults.space) return errno_error(ENOSPC, "write");
      if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_)) !=
          static_cast<ssize_t>(bytes.size())) {
        return errno_error(errno, "write");
      }
      size_ += bytes.size();
      return {};
    }
    void name(const oci::Digest& digest) override { digest_ = digest; }
    Result<void> commit() override {
      if (!digest_) return internal_error(Code::InvalidArgument, "it has no digest yet");
      if (store_.faults.commit_fails) return errno_error(EIO, "fsync");
      if (store_.faults.on_commit) store_.faults.on_commit();
      const std::lock_guard lock(store_.mutex_);
      // Opened anew: a duplicate would share the lock that says that the ingest lives.
      store_.blobs_.insert_or_assign(*digest_, file_of(fd_.get()).fd);
      return {};
    }
    void discard() override {}
    [[nodiscard]] int fd() const override { return fd_.get(); }

   private:
    FakeBlobStore& store_;
    std::optional<oci::Digest> digest_;
    UniqueFd fd_;
    std::uint64_t size_ = 0;
  };

  mutable std::mutex mutex_;
  std::map<oci::Digest, UniqueFd> blobs_;
  std::atomic<std::size_t> begun_{0};
  std::atomic<std::size_t> ingests_{0};
};

}  // namespace fairlead::testing
