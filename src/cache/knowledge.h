// SPDX-License-Identifier: Apache-2.0
// What is learned from what a registry answers, written into the index.
//
// Only content that the registry itself handed out or confirmed through a repository is linked
// to it. That a manifest names a digest proves nothing: registries accept manifests with foreign
// layers unseen, so naming somebody's private layer would be enough to be served it.
#pragma once

#include <cstdint>
#include <string>

#include "cache/source.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

// The source's repository holds this content. `media_type` matters for manifests only.
void learn_content(index::Index& index, const Source& source, const oci::Digest& digest,
                   std::uint64_t size, std::string media_type);

}  // namespace fairlead::cache
