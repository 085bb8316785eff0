// SPDX-License-Identifier: Apache-2.0
// DiskBlobStore: blobs as files of one directory.
//
//   <directory>/lock                          held while a process uses the directory
//   <directory>/blobs/<algorithm>/<ab>/<hex>  complete, verified, read-only; <ab> begins <hex>
//   <directory>/tmp/<hex>.<n>                 being written; removed at start
//
// Publish = fsync the file, rename it, fsync the directories. See docs/on-disk-format.md.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "store/blob_store.h"

namespace fairlead::store {

class DiskBlobStore final : public BlobStore {
 public:
  // Creates the directory where needed, locks it, removes leftovers of a crash. Fails when it is
  // not usable or another process has it.
  static Result<std::unique_ptr<DiskBlobStore>> open_directory(const std::string& directory);

  Result<std::optional<BlobFile>> open(const oci::Digest& digest) override;
  Result<std::unique_ptr<Ingest>> begin(const oci::Digest& digest,
                                        std::optional<std::uint64_t> size) override;

  // Files that were left in tmp/ by a crash and removed at start.
  [[nodiscard]] std::size_t leftovers_removed() const { return leftovers_removed_; }

 private:
  friend class DiskIngest;
  DiskBlobStore(std::string directory, UniqueFd lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}

  [[nodiscard]] std::string blob_path(const oci::Digest& digest) const;
  Result<void> publish(const std::string& temporary, int fd, const oci::Digest& digest) const;
  Result<void> remove_leftovers();

  std::string directory_;
  UniqueFd lock_;
  std::size_t leftovers_removed_ = 0;
  std::atomic<std::uint64_t> next_temporary_{0};
};

}  // namespace fairlead::store
