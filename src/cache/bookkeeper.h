// SPDX-License-Identifier: Apache-2.0
// Bookkeeper: keeps files and rows together. Every removal of stored content goes through the one
// Bookkeeper of the process; whoever fills needs not know of it.
//
// A fill publishes its file (1), then adds the row (2). A removal unlinks the file (A), then takes
// the row away (B). A crash between 1 and 2 leaves a file without row, one between A and B a row
// without file; reconcile() finds both. What may happen while all run:
//
//   A B between 1 and 2   does not: the file is in use while its Fill lives, and the row is added
//                         before it ends. Damaged files are removed in use, but by identity: not
//                         one that was published meanwhile.
//   A 1 2 B               the row of the new file would be lost. So B is followed by a look: is
//                         there a file again, its row is made from it (adopt). The links are
//                         lost: the next pull asks the upstream whether its repository holds it.
//   A 1 B 2, A B 1 2      fine.
//
// Two removals, or a removal and an adoption, exclude each other by a lock. It is held for an
// unlink() at most, never while content is read.
//
// Where a file is not found, its row and links go only while the store is in place: a disk that is
// unmounted for a moment must not cost what is known of all that it holds.
//
// What is adopted has no links: it is served only after an upstream confirmed to have it.
//
// Thread-safe. All calls block.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "base/error.h"
#include "index/index.h"
#include "oci/digest.h"
#include "store/blob_store.h"

namespace fairlead::cache {

// What becomes of the links to content whose file goes.
enum class Links {
  Go,
  Stay,  // the content may be in the cache's bucket: who may have it is worth knowing
};

class Bookkeeper {
 public:
  Bookkeeper(index::Index& index, store::BlobStore& store, const Clock& clock,
             Links links = Links::Go)
      : index_(index), store_(store), clock_(clock), links_(links) {}

  // File and row, unless it is in use. The row goes as well when there is no file.
  Result<store::Removal> remove(const oci::Digest& digest);

  // File and row of what was found damaged in `found`. InUse: a sound file took its place.
  Result<store::Removal> remove_damaged(const oci::Digest& digest, const store::BlobFile& found);

  // For a row whose file was not found. True: it was removed; false: the file is there. An error:
  // nobody knows; it stays.
  Result<bool> drop_row_without_file(const oci::Digest& digest);

  enum class Adoption {
    Adopted,
    NotNeeded,  // it has a row, or is not there any more
    Damaged,    // a manifest by its looks, with another digest: removed
  };
  // Makes the row of a file that has none. When its bytes are a manifest, they tell media type and
  // what it names; else these are empty, as of a blob.
  Result<Adoption> adopt(const oci::Digest& digest);

 private:
  [[nodiscard]] bool has_row(const oci::Digest& digest) const;
  Result<bool> is_gone(const oci::Digest& digest);
  void forget(const oci::Digest& digest);
  template <class RemoveFile>
  Result<store::Removal> remove_by(const oci::Digest& digest, RemoveFile remove_file);

  index::Index& index_;
  store::BlobStore& store_;
  const Clock& clock_;
  const Links links_;
  std::mutex mutex_;  // one removal or adoption at a time
};

}  // namespace fairlead::cache
