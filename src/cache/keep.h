// SPDX-License-Identifier: Apache-2.0
// Keeping verified content: first the file, then the index, then both survive a crash. Only after
// that may anybody be told that it is stored. Blocks: for the pool's threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cache/manifest_names.h"
#include "cache/services.h"
#include "oci/digest.h"
#include "store/blob_store.h"

namespace fairlead::cache {

// Publishes a finished ingest of `size` bytes. Of a blob, `media_type` and `names` are empty.
Result<void> keep_ingest(Services& services, const oci::Digest& digest,
                         const std::string& media_type, std::uint64_t size,
                         const ManifestNames& names, store::Ingest& ingest);

// Stores a manifest that is at hand. Trouble is logged: the caller has the text all the same.
bool keep_manifest(Services& services, const oci::Digest& digest, const std::string& media_type,
                   std::string_view text, const ManifestNames& names);

}  // namespace fairlead::cache
