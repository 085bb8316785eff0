// SPDX-License-Identifier: Apache-2.0
// DiskBlobStore: blobs as files of one directory.
//
//   <directory>/lock                          held while a process uses the directory
//   <directory>/blobs/<algorithm>/<ab>/<hex>  complete, verified, read-only; <ab> begins <hex>
//   <directory>/tmp/<hex>.<n>                 being written; removed at start
//   <directory>/tmp/unnamed.<n>               the same, while its digest is not known
//
// Publish = fsync the file, rename it, fsync the directories. See docs/on-disk-format.md.
//
// A blob is in use while somebody holds a shared flock on its file: open() takes one on the
// descriptor that it hands out, an ingest on its own from the start; they end with the descriptor,
// so nothing has to be given back. remove() unlinks only what it can lock exclusively. Who opens a
// file between its lock and its unlink reads on undisturbed: the lock is for not taking away what
// is wanted now, no reader's safety hangs on it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "store/blob_store.h"

namespace fairlead::store {

class DiskIngest;

struct DiskStoreOptions {
  // Bytes of one blob, 0: any. An upstream that claims, or sends, more than the cache may hold
  // would otherwise take the whole disk and have everything evicted.
  std::uint64_t max_content = 0;
  // Where there is no cache yet, none is made: NotFound. For commands.
  bool must_exist = false;
};

class DiskBlobStore final : public BlobStore {
 public:
  // Creates the directory where needed, locks it, removes leftovers of a crash. Fails when it is
  // not usable, another process has it, or it holds other things and no cache: then somebody
  // mistyped its name, and nothing of it is touched.
  static Result<std::unique_ptr<DiskBlobStore>> open_directory(
      const std::string& directory, const DiskStoreOptions& options = {});

  // Only to look at, also while another process has it: locks, makes and removes nothing by itself,
  // and the caller does not either. NotFound when there is no such directory, or it holds other
  // things and no cache; an empty one is an empty cache.
  static Result<std::unique_ptr<DiskBlobStore>> open_read_only(const std::string& directory);

  Result<std::optional<BlobFile>> open(const oci::Digest& digest) override;
  Result<std::unique_ptr<Ingest>> begin(const oci::Digest& digest,
                                        std::optional<std::uint64_t> size) override;
  Result<std::unique_ptr<Ingest>> begin_unnamed() override;
  Result<std::optional<BlobFile>> inspect(const oci::Digest& digest) override;
  Result<Removal> remove(const oci::Digest& digest) override;
  Result<Removal> remove_damaged(const oci::Digest& digest, const BlobFile& found) override;
  Result<void> check_in_place() override;
  Result<void> for_each(const BlobVisitor& visit) override;

  // Files that were left in tmp/ by a crash and removed at start.
  [[nodiscard]] std::size_t leftovers_removed() const { return leftovers_removed_; }

 private:
  friend class DiskIngest;
  DiskBlobStore(std::string directory, const DiskStoreOptions& options, UniqueFd lock);

  [[nodiscard]] std::string blob_path(const oci::Digest& digest) const;
  [[nodiscard]] bool is_too_large(std::uint64_t size) const {
    return options_.max_content > 0 && size > options_.max_content;
  }
  Result<UniqueFd> create_temporary(const std::string& path) const;
  Result<std::unique_ptr<DiskIngest>> begin_as(std::string_view name,
                                               std::optional<oci::Digest> digest);
  Result<void> publish(const std::string& temporary, int fd, const oci::Digest& digest);
  Result<void> make_parents(const std::string& blob_path) const;
  // InUse: `path` is another file than `fd`, just made.
  Result<Removal> unlink_if_same(const std::string& path, int fd);
  Result<void> remove_leftovers();

  const std::string directory_;
  const DiskStoreOptions options_;
  const UniqueFd place_;  // of directory_ as it was opened
  UniqueFd lock_;
  std::mutex names_;  // held while a name below blobs/ gets another file or none
  std::size_t leftovers_removed_ = 0;
  std::atomic<std::uint64_t> next_temporary_{0};
};

}  // namespace fairlead::store
