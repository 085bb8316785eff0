// SPDX-License-Identifier: Apache-2.0
// What an OCI image layout in a bucket consists of: its keys, and what its index.json lists
// (OCI image-spec, image-layout.md). Pure. layout.h draws it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "oci/digest.h"

namespace fairlead::s3::oci_layout {

inline constexpr std::size_t kMaxIndex = 32u << 20;  // bytes of an index.json

// `root` as BucketOptions has it; names valid by the grammar.
std::string index_key(std::string_view root, std::string_view repository);
std::string blob_key(std::string_view root, std::string_view repository, const oci::Digest& digest);
std::string shared_key(std::string_view root, const oci::Digest& digest);

// What is listed below `root`: "<root>/", or "".
std::string root_prefix(std::string_view root);

struct ListedManifest {
  oci::Digest digest;
  std::string media_type;  // of a manifest; empty: not told
  std::string tag;         // valid by the grammar; empty: none
};

// In their order. Entries whose digest we do not know how to read are left out. Corrupt: it is not
// such a document; TooLarge: above kMaxIndex.
Result<std::vector<ListedManifest>> parse_index(std::string_view text);

}  // namespace fairlead::s3::oci_layout
