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
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "oci/digest.h"
#include "s3/blocking_objects.h"
#include "store/blob_store.h"

namespace fairlead::s3 {

struct BucketStoreOptions {
  std::string root;       // as BucketOptions has it
  std::string directory;  // for files without a name; of the local disk
  std::uint64_t max_content = 0;
  std::uint64_t part_size = std::uint64_t{8} << 20;  // of uploads in parts; larger for huge blobs
};

// What the bucket has of a digest.
struct StoredObject {
  std::uint64_t size = 0;
  std::string media_type;  // of a manifest; else empty
};

// Where a cached blob and the mark of its last use are.
std::string cache_key(std::string_view root, const oci::Digest& digest);
std::string use_key(std::string_view root, const oci::Digest& digest);
// The digest of such a key; nullopt: it is another's object.
std::optional<oci::Digest> digest_of_key(std::string_view root, std::string_view key);

// Thread-safe. All calls block.
class BucketBlobStore final : public store::BlobStore {
 public:
  // `objects` must outlive it.
  BucketBlobStore(BlockingObjects& objects, BucketStoreOptions options);
  ~BucketBlobStore() override;

  Result<std::optional<store::BlobFile>> open(const oci::Digest& digest) override;
  Result<std::unique_ptr<store::Ingest>> begin(const oci::Digest& digest,
                                               std::optional<std::uint64_t> size) override;
  Result<std::optional<store::BlobFile>> inspect(const oci::Digest& digest) override;
  Result<store::Removal> remove(const oci::Digest& digest) override;
  Result<store::Removal> remove_damaged(const oci::Digest& digest,
                                        const store::BlobFile& found) override;
  Result<void> check_in_place() override;  // the bucket answers
  // Paged: holds one page of the listing.
  Result<void> for_each(const BlobVisitor& visit) override;

  // Uploads the `size` bytes of `file`, which the caller has verified, unless it is there already.
  // In parts where it is larger than one; what was uploaded is aborted when it fails or `stop` is
  // requested. `media_type`: of a manifest; else empty.
  Result<void> upload(const oci::Digest& digest, int file, std::uint64_t size,
                      const std::string& media_type, std::stop_token stop = {});

  // nullopt: not there.
  Result<std::optional<StoredObject>> find(const oci::Digest& digest);

  // Notes a use of now.
  Result<void> mark_used(const oci::Digest& digest);

  // Aborts uploads in parts that this process began and did not end: for its start.
  Result<std::size_t> abort_interrupted();

  // Aborts uploads in parts that were begun before `before`, and that nobody goes on with. How
  // many.
  Result<std::size_t> abort_unfinished(WallTime before);

 private:
  // To be filled in by whoever builds it.
};

}  // namespace fairlead::s3
