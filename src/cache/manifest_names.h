// SPDX-License-Identifier: Apache-2.0
// What a manifest names, so that its use is one of theirs, and its age that of its children.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/digest.h"
#include "oci/manifest.h"

namespace fairlead::cache {

// Of a manifest with more descriptors, none: each is work at every use of it and 30 bytes of memory
// or more, and 4 MiB of hostile text would have ten thousand of them. Its content is then evicted
// by its own uses, as if it did not belong together.
inline constexpr std::size_t kMostNames = 1000;

struct ManifestNames {
  std::vector<oci::Digest> manifests;  // children of an index
  std::vector<oci::Digest> blobs;      // config and layers

  [[nodiscard]] std::vector<oci::Digest> all() const;
};

ManifestNames names_of(oci::Manifest manifest);

// A document that does not parse names nothing: clients may have it as the registry has it.
ManifestNames names_in(std::string_view manifest);

// The same of a file that holds a manifest of `size` bytes. Blocks.
ManifestNames names_in_file(int file, std::uint64_t size);

// The media type that the same says itself, by its words or its shape, that it is of; nullopt: it
// does not parse. Blocks.
std::optional<std::string> type_in_file(int file, std::uint64_t size);

// Whether that is `media_type`. Blocks.
bool says_type_in_file(int file, std::uint64_t size, std::string_view media_type);

}  // namespace fairlead::cache
