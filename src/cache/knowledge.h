// SPDX-License-Identifier: Apache-2.0
// What is learned from what a registry answers, written into the index.
//
// Only content that the registry itself handed out or confirmed through a repository is linked
// to it. That a manifest names a digest proves nothing: registries accept manifests with foreign
// layers unseen, so naming somebody's private layer would be enough to be served it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"

namespace fairlead::cache {

// The source's repository holds this content, unless it was deleted there since that was asked.
void learn_link(Services& services, const Source& source, const oci::Digest& digest);

// The same of what was pushed there, which is a change. Its number (recent_changes.h); nullopt: it
// was deleted or pushed meanwhile, and which came last is for the registry to say.
std::optional<std::uint64_t> learn_push(Services& services, const Source& source,
                                        const oci::Digest& digest);

// As learn_link(), and what it is. `media_type` matters for manifests only.
void learn_content(Services& services, const Source& source, const oci::Digest& digest,
                   std::uint64_t size, std::string media_type);

}  // namespace fairlead::cache
