// SPDX-License-Identifier: Apache-2.0
#include "cache/knowledge.h"

#include <utility>

namespace fairlead::cache {

void learn_content(index::Index& index, const Source& source, const oci::Digest& digest,
                   std::uint64_t size, std::string media_type) {
  index.add_link(source.registry_name, source.repository, digest);
  if (source.kind == ContentKind::Manifest && !media_type.empty()) {
    index.describe(digest, std::move(media_type), size);
  }
}

}  // namespace fairlead::cache
