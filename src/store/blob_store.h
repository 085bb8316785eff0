// SPDX-License-Identifier: Apache-2.0
// BlobStore: content by digest. Reading and ingesting are two roles.
//
// What is in the store is complete and was verified; an ingest becomes visible by commit() only,
// all at once, and then survives a crash.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
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
  // nullopt: not there. Fast: no more than an open().
  virtual Result<std::optional<BlobFile>> open(const oci::Digest& digest) = 0;
};

// One blob being written. Used by one owner; its file may be read by others meanwhile, up to what
// has been written. Destroying it without commit() removes it.
class Ingest {
 public:
  virtual ~Ingest() = default;

  // Appends. Code::NoSpace when the disk is full. Blocks.
  virtual Result<void> write(ByteView bytes) = 0;

  // Publishes what was written; the caller has verified it. Blocks (fsync).
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
  // `size`, when known, is reserved at once, so that a full disk shows at the start. Blocks.
  virtual Result<std::unique_ptr<Ingest>> begin(const oci::Digest& digest,
                                                std::optional<std::uint64_t> size) = 0;
};

class BlobStore : public BlobReader, public BlobIngester {};

}  // namespace fairlead::store
