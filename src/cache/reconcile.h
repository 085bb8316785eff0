// SPDX-License-Identifier: Apache-2.0
// reconcile(): makes index and store say the same again, after start.
//
//   row without file              the row goes: a crash while removing, or somebody at the disk
//   row and file of another size  both go: a damaged file; the next pull fetches it again
//   file without row              gets one (Bookkeeper::adopt): a crash before the row was
//                                 written, or an index that was lost
//
// Adopted content has no links: it is served only after an upstream confirmed that the repository
// asked for holds it. Runs while requests are served: what it finds amiss it looks at again under
// the Bookkeeper's lock, so fills and removals meanwhile do no harm.
#pragma once

#include <cstdint>
#include <stop_token>

#include "base/error.h"
#include "cache/bookkeeper.h"
#include "index/index.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct Reconciled {
  std::uint64_t rows_dropped = 0;   // they had no file
  std::uint64_t files_adopted = 0;  // they had no row
  std::uint64_t damaged = 0;        // removed, row and file
  std::uint64_t failed = 0;         // could not be looked at or removed; told in the log
};

// Blocks: seconds for a million contents that are in order; reads the beginning of each file that
// has no row. An error: the store cannot be listed; no row was dropped then. Ends early when
// `stop` is requested.
Result<Reconciled> reconcile(const index::Index& index, store::BlobStore& store,
                             Bookkeeper& bookkeeper, telemetry::Log& log,
                             std::stop_token stop = {});

}  // namespace fairlead::cache
