// SPDX-License-Identifier: Apache-2.0
// ContentReader: the bytes of one content, or a range of them, as one caller gets them.
//
// Pieces are either parts of a file, to be sent from there, or bytes in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"
#include "cache/fill.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "oci/range.h"
#include "store/blob_store.h"

namespace fairlead::cache {

struct Piece {
  int file = -1;             // -1: `bytes` are it
  std::uint64_t offset = 0;  // in the file
  std::uint64_t length = 0;  // of either; 0: the end
  ByteView bytes;
};

// Used by one task. Pieces are valid until the next call.
class ContentReader {
 public:
  virtual ~ContentReader() = default;

  // The next piece in order; one of length 0 at the end. After an error, what was handed out must
  // not be completed.
  virtual async::Task<Result<Piece>> next() = 0;
};

// Without `range`, the whole of it.
using WantedRange = std::optional<oci::ByteRange>;

// Of a stored blob, which must outlive the reader.
std::unique_ptr<ContentReader> read_file(const store::BlobFile& file, WantedRange range);

// Of bytes in memory, which must outlive the reader.
std::unique_ptr<ContentReader> read_memory(ByteView bytes, WantedRange range);

// Following a fill. When the disk takes no more, the reader goes on from `own_source`, uncached
// and verified all the same.
std::unique_ptr<ContentReader> follow_fill(std::shared_ptr<Fill> fill, Source own_source,
                                           WantedRange range);

}  // namespace fairlead::cache
