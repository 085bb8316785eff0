// SPDX-License-Identifier: Apache-2.0
// Cooldown: a digest is not served before it has been known for a while, so that a tag taken over
// by somebody else does no harm before anybody has noticed.
//
// What counts is when this gateway first saw a repository's tag mean the digest, not when the
// image says that it was made: that is the attacker's to write. First sights are kept for all
// repositories, so that a cooldown configured later finds them.
#pragma once

#include <chrono>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cache/resolved.h"
#include "cache/source.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

// Since `digest` was first seen in the source's repository; seen now, at the latest.
std::chrono::milliseconds age_of(index::Index& index, const Source& source,
                                 const oci::Digest& digest, WallTime now);

[[nodiscard]] inline bool is_too_young(std::chrono::milliseconds age,
                                       std::chrono::milliseconds cooldown) {
  return age < cooldown;
}

// What is served in place of `young`, which `key` has moved to: what it meant before, where that
// is known, else the refusal.
Result<Resolved> held_back(const index::Index& index, const index::TagKey& key,
                           const Source& source, const oci::Digest& young,
                           std::chrono::milliseconds age, std::chrono::milliseconds cooldown,
                           WallTime now);

// Whether a manifest may be served by its digest. Denied while it is too young.
Result<void> check_cooldown(index::Index& index, const Source& source, const oci::Digest& digest,
                            std::chrono::milliseconds cooldown, WallTime now);

// The manifests that an index names are as old as the index.
void learn_children(index::Index& index, const Source& source, const oci::Digest& parent,
                    const index::DigestList& children);

// The same where the index is stored already.
void learn_children(index::Index& index, const Source& source, const oci::Digest& parent);

}  // namespace fairlead::cache
