// SPDX-License-Identifier: Apache-2.0
// The keys of a cache's bucket: s3/bucket_blob_store.h draws them. Keys sort as their digests do.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oci/digest.h"

namespace fairlead::s3 {

// Where a cached blob and the mark of its last use are. `root`: as BucketOptions has it.
std::string cache_key(std::string_view root, const oci::Digest& digest);
std::string use_key(std::string_view root, const oci::Digest& digest);

// What all such keys begin with.
std::string cache_prefix(std::string_view root);
std::string use_prefix(std::string_view root);

// The digest of such a key; nullopt: it is another's object.
std::optional<oci::Digest> digest_of_key(std::string_view root, std::string_view key);

}  // namespace fairlead::s3
