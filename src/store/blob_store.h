// SPDX-License-Identifier: Apache-2.0
// BlobStore: content by digest. Reading, ingesting and managing are three roles.
//
// What is in the store is complete and was verified; an ingest becomes visible by commit() only,
// all at once, and then survives a crash.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "oci/digest.h"

namespace fairlead::store {

struct BlobFile {
  UniqueFd fd;             // open for reading; stays readable when the blob is removed meanwhile
  std::uint64_t size = 0;  // bytes
};

// Thread-safe.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  // nullopt: not there. The blob is in use until the file and its duplicates are closed. Fast: no
  // more than an open().
  virtual Result<std::optional<BlobFile>> open(const oci::Digest& digest) = 0;
};

// One blob being written. Used by one owner; its file may be read by others meanwhile, up to what
// has been written. Destroying it without commit() removes it. The blob that it made is in use
// while it lives.
class Ingest {
 public:
  virtual ~Ingest() = default;

  // Appends. Code::NoSpace when the disk is full. Blocks.
  virtual Result<void> write(ByteView bytes) = 0;

  // What was begun without a name gets it. Before commit(), once.
  virtual void name(const oci::Digest& digest) = 0;

  // Publishes what was written; the caller has verified it. InvalidArgument: it has no name yet.
  // Blocks (fsync).
  virtual Result<void> commit() = 0;

  // Removes it now; the file stays readable through fd(). No more than commit() not happening, but
  // sooner than the last reader's end.
  virtual void discard() = 0;

  // The growing file, for reading at offsets that have been written. Valid while this lives.
  [[nodiscard]] virtual int fd() const = 0;
};

// Thread-safe.
class BlobIngester {
 public:
  virtual ~BlobIngester() = default;
  // `size`, when known, is reserved at once, so that a full disk shows at the start. Code::NoSpace
  // also when it is more than the store may ever hold. Blocks.
  virtual Result<std::unique_ptr<Ingest>> begin(const oci::Digest& digest,
                                                std::optional<std::uint64_t> size) = 0;

  // For content whose digest is known only when it is there. Blocks.
  virtual Result<std::unique_ptr<Ingest>> begin_unnamed() = 0;
};

enum class Removal {
  Removed,
  Absent,  // it was not there
  InUse,   // somebody reads it or has just made it; it stays
};

// Thread-safe. Blocks.
class BlobManager {
 public:
  virtual ~BlobManager() = default;

  // As BlobReader::open(), but the blob is not in use by it: for looking at what may be evicted
  // meanwhile.
  virtual Result<std::optional<BlobFile>> inspect(const oci::Digest& digest) = 0;

  // Removes a blob that nobody uses.
  virtual Result<Removal> remove(const oci::Digest& digest) = 0;

  // Removes a blob that was found damaged, used or not, if it still is the very file that `found`
  // is; InUse: another one has taken its place meanwhile.
  virtual Result<Removal> remove_damaged(const oci::Digest& digest, const BlobFile& found) = 0;

  // An error of code Io: the store is not where it was opened (a disk unmounted, a directory moved
  // away), and what was not found may be there all the same.
  virtual Result<void> check_in_place() = 0;

  // Every blob, in no order. Those that come or go meanwhile are visited or not. `visit` may use
  // the store. An error: the store cannot be read, and what was not visited may be there.
  using BlobVisitor =
      std::function<void(const oci::Digest&, std::uint64_t size, WallTime modified)>;
  virtual Result<void> for_each(const BlobVisitor& visit) = 0;
};

class BlobStore : public BlobReader, public BlobIngester, public BlobManager {};

}  // namespace fairlead::store
