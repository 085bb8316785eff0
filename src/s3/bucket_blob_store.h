// SPDX-License-Identifier: Apache-2.0
// BucketBlobStore: blobs as objects of a bucket, for those who may block: uploads, eviction, scrub.
//
//   <root>/blobs/<algorithm>/<ab>/<hex>   complete and verified; <ab> begins <hex>; Content-Type is
//                                         a manifest's media type, else application/octet-stream
//   <root>/used/<algorithm>/<ab>/<hex>    empty; its Last-Modified says when a process that shares
//                                         the bucket last used the blob
//
// Several processes share one bucket: all that they know of each other is in these objects. S3
// makes an object visible all at once, and whole; what is uploaded in parts, when it is completed.
//
// open() and inspect() download into a file without a name; in use is what somebody in this process
// has open, or has just made. Others in other processes are held off by time: see
// cache/bucket_evictor.h.
//
// Between looking at an object and removing it another process may write it anew: S3 has no removal
// of one writing. Then a sound blob is gone, and the next pull uploads it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "oci/digest.h"
#include "s3/blocking_objects.h"
#include "s3/bucket_walk.h"
#include "s3/cache_keys.h"
#include "s3/held_files.h"
#include "s3/part_upload.h"
#include "s3/upload_journal.h"
#include "store/blob_store.h"

namespace fairlead::s3 {

struct BucketStoreOptions {
  std::string root;  // as BucketOptions has it
  // On the local disk, there already, and locked by this process (the cache directory): for files
  // without a name, and <directory>/uploads, the journal of uploads in parts (upload_journal.h).
  std::string directory;
  std::uint64_t max_content = 0;                     // bytes of one blob; 0: any
  std::uint64_t part_size = std::uint64_t{8} << 20;  // of uploads in parts; larger for huge blobs
};

// What the bucket has of a digest.
struct StoredObject {
  std::uint64_t size = 0;
  std::string media_type;  // of a manifest; else empty
};

// Thread-safe. All calls block.
class BucketBlobStore final : public store::BlobStore {
 public:
  // `objects` must outlive it.
  BucketBlobStore(BlockingObjects& objects, BucketStoreOptions options);

  Result<std::optional<store::BlobFile>> open(const oci::Digest& digest) override;
  Result<std::unique_ptr<store::Ingest>> begin(const oci::Digest& digest,
                                               std::optional<std::uint64_t> size) override;
  Result<std::unique_ptr<store::Ingest>> begin_unnamed() override;
  Result<std::optional<store::BlobFile>> inspect(const oci::Digest& digest) override;
  Result<store::Removal> remove(const oci::Digest& digest) override;
  Result<store::Removal> remove_damaged(const oci::Digest& digest,
                                        const store::BlobFile& found) override;
  Result<void> check_in_place() override;  // the bucket answers
  // Paged: holds one page of the listing.
  Result<void> for_each(const BlobVisitor& visit) override;

  // Uploads the `size` bytes of `file`, which the caller has verified, unless it is there already.
  // In parts where it is larger than one; what was uploaded is aborted when it fails or `stop` is
  // requested. `media_type`: of a manifest; else empty. Corrupt: the file rotted since, and is not
  // what its digest says; nothing of it was stored. No other failure is Corrupt.
  Result<void> upload(const oci::Digest& digest, int file, std::uint64_t size,
                      const std::string& media_type, std::stop_token stop = {});

  // nullopt: not there.
  Result<std::optional<StoredObject>> find(const oci::Digest& digest);

  // Notes a use of now.
  Result<void> mark_used(const oci::Digest& digest);

  // Those in the order of their digests, behind `after`.
  [[nodiscard]] BucketWalk blobs(const std::optional<oci::Digest>& after = std::nullopt);
  [[nodiscard]] BucketWalk marks(const std::optional<oci::Digest>& after = std::nullopt);

  // Removes a blob and its mark if the one was written, and the other made, `last_use` or before;
  // InUse: later, or as remove() has it.
  Result<store::Removal> remove_idle(const oci::Digest& digest, WallTime last_use);

  // Removes a mark that was made `last_use` or before, of a blob that is not there.
  Result<store::Removal> remove_stray_mark(const oci::Digest& digest, WallTime last_use);

  // Reads a blob without keeping it; what was read. nullopt: not there. An error of `take` ends it.
  // `take` is called on the thread of the objects.
  using Take = std::function<Result<void>(const ObjectHead& head, ByteView piece)>;
  Result<std::optional<ObjectHead>> read(const oci::Digest& digest, const Take& take);

  // Removes a blob that was found damaged by read(), used or not; InUse: it was written anew.
  Result<store::Removal> remove_damaged(const oci::Digest& digest, const ObjectHead& found);

  // Aborts uploads in parts that were begun before `before`, and that nobody goes on with, those of
  // a thousand keys at a time. How many. Those of this process that are under way stay.
  Result<std::size_t> abort_unfinished(WallTime before);

  // Aborts uploads in parts that an earlier process with this directory began and did not end. How
  // many. For the start; after an error the rest waits for the next call.
  Result<std::size_t> abort_interrupted();

 private:
  friend class BucketIngest;
  [[nodiscard]] bool is_too_large(std::uint64_t size) const {
    return options_.max_content > 0 && size > options_.max_content;
  }
  Result<std::optional<store::BlobFile>> download(const oci::Digest& digest,
                                                  HeldFiles::Purpose purpose);
  Result<std::optional<ObjectHead>> head(const std::string& key);
  // Whether it is there as it would be uploaded.
  Result<bool> has(const std::string& key, std::uint64_t size, const std::string& media_type);
  Result<void> send(const PartUpload& upload, const std::stop_token& stop);
  Result<void> remove_object(const std::string& key);
  Result<store::Removal> remove_blob_and_mark(const oci::Digest& digest);

  BlockingObjects& objects_;
  const BucketStoreOptions options_;
  UploadJournal journal_;
  HeldFiles held_;
};

}  // namespace fairlead::s3
