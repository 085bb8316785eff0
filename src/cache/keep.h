// SPDX-License-Identifier: Apache-2.0
// Keeping verified content: first the file, then the index, then both survive a crash. Only after
// that may anybody be told that it is stored. Blocks: for the pool's threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "store/blob_store.h"

namespace fairlead::cache {

// What was verified, as it goes into the store.
struct Verified {
  oci::Digest digest;
  std::uint64_t size = 0;          // bytes
  std::string media_type;          // of a manifest, as it says itself; empty: a blob
  std::vector<oci::Digest> names;  // what a manifest names
};

// Publishes a finished ingest of what `source` holds.
Result<void> keep_ingest(Services& services, const Source& source, Verified content,
                         store::Ingest& ingest);

// That the store did not take content of `size` bytes, or so many of it: to the log, and to who can
// make room. `name` is the content's for the log.
void report_not_stored(Services& services, const oci::Digest& digest, std::string_view name,
                       std::uint64_t size, const Error& error);

// Stores a manifest that is at hand. Trouble is logged: the caller has the text all the same.
bool keep_manifest(Services& services, const Source& source, Verified content,
                   std::string_view text);

}  // namespace fairlead::cache
