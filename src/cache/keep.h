// SPDX-License-Identifier: Apache-2.0
// Keeping verified content: first the file, then the index, then both survive a crash. Only after
// that may anybody be told that it is stored. Blocks: for the pool's threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "store/blob_store.h"

namespace fairlead::cache {

// Publishes a finished ingest of `size` bytes.
Result<void> keep_ingest(Services& services, const oci::Digest& digest, ContentKind kind,
                         const std::string& media_type, std::uint64_t size, store::Ingest& ingest);

// Stores a manifest that is at hand. Trouble is logged: the caller has the text all the same.
bool keep_manifest(Services& services, const oci::Digest& digest, const std::string& media_type,
                   std::string_view text);

}  // namespace fairlead::cache
