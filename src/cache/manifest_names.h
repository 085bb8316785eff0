// SPDX-License-Identifier: Apache-2.0
// What a manifest names, so that its use is one of theirs, and its age that of its children.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "oci/digest.h"

namespace fairlead::cache {

struct ManifestNames {
  std::vector<oci::Digest> manifests;  // children of an index
  std::vector<oci::Digest> blobs;      // config and layers

  [[nodiscard]] std::vector<oci::Digest> all() const;
};

// A document that does not parse names nothing: clients may have it as the registry has it.
ManifestNames names_in(std::string_view manifest);

// The same of a file that holds a manifest of `size` bytes. Blocks.
ManifestNames names_in_file(int file, std::uint64_t size);

}  // namespace fairlead::cache
