// SPDX-License-Identifier: Apache-2.0
// FakeBlobStore: blobs in memory, and a disk that is full or fails when a test wants it so.
#pragma once

#include <fcntl.h>
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
    // Asked before each open(): an error to answer with, and a place to let others run.
    std::function<std::optional<Error>()> on_open{};
  };
  Faults faults;

  Result<std::optional<store::BlobFile>> open(const oci::Digest& digest) override {
    if (faults.on_open) {
      if (auto error = faults.on_open()) return std::unexpected(*std::move(error));
    }
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return std::nullopt;
    return file_of(found->second.get());
  }

  Result<std::unique_ptr<store::Ingest>> begin(const oci::Digest& digest,
                                               std::optional<std::uint64_t>) override {
    ++begun_;
    if (faults.begin_finds_no_space) return errno_error(ENOSPC, "reserve space");
    return std::make_unique<MemoryIngest>(*this, digest);
  }

  [[nodiscard]] bool holds(const oci::Digest& digest) const {
    const std::lock_guard lock(mutex_);
    return blobs_.contains(digest);
  }
  void remove(const oci::Digest& digest) {
    const std::lock_guard lock(mutex_);
    blobs_.erase(digest);
  }
  [[nodiscard]] std::size_t begun() const { return begun_; }

 private:
  static store::BlobFile file_of(int fd) {
    struct stat status{};
    ::fstat(fd, &status);
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return {UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
            static_cast<std::uint64_t>(status.st_size)};
  }

  class MemoryIngest final : public store::Ingest {
   public:
    MemoryIngest(FakeBlobStore& store, oci::Digest digest)
        : store_(store), digest_(std::move(digest)), fd_(::memfd_create("blob", MFD_CLOEXEC)) {}

    Result<void> write(ByteView bytes) override {
      if (size_ + bytes.size() > store_.faults.space) return errno_error(ENOSPC, "write");
      if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_)) !=
          static_cast<ssize_t>(bytes.size())) {
        return errno_error(errno, "write");
      }
      size_ += bytes.size();
      return {};
    }
    Result<void> commit() override {
      if (store_.faults.commit_fails) return errno_error(EIO, "fsync");
      const std::lock_guard lock(store_.mutex_);
      store_.blobs_.insert_or_assign(digest_, UniqueFd(::dup(fd_.get())));
      return {};
    }
    void discard() override {}
    [[nodiscard]] int fd() const override { return fd_.get(); }

   private:
    FakeBlobStore& store_;
    oci::Digest digest_;
    UniqueFd fd_;
    std::uint64_t size_ = 0;
  };

  mutable std::mutex mutex_;
  std::map<oci::Digest, UniqueFd> blobs_;
  std::atomic<std::size_t> begun_{0};
};

}  // namespace fairlead::testing
