// SPDX-License-Identifier: Apache-2.0
// Cooldown: a digest is not served before it has been known for a while, so that a tag taken over
// by somebody else does no harm before anybody has noticed.
//
// What counts is when this gateway first saw a repository's tag mean the digest, not when the
// image says that it was made: that is the attacker's to write. First sights are kept for all
// repositories, so that a cooldown configured later finds them. Sights by digest are kept apart,
// and count for pulls by digest only: else who can push could let an image grow old unseen, by
// asking for its digest, before the tag is moved to it.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "base/error.h"
#include "cache/resolved.h"
#include "cache/source.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

// Since a tag of the source's repository first meant `digest`; that one does so now is noted.
std::chrono::milliseconds age_behind_tag(index::Index& index, const Source& source,
                                         const oci::Digest& digest, WallTime now);

// What is served in place of `young`, which `key` has moved to: what it meant before, where that
// is known, else the refusal.
Result<Resolved> held_back(const index::Index& index, const index::TagKey& key,
                           const Source& source, const oci::Digest& young,
                           std::chrono::milliseconds age, std::chrono::milliseconds cooldown,
                           WallTime now);

// Whether a manifest has ever been seen in the source's repository.
bool is_seen(const index::Index& index, const Source& source, const oci::Digest& digest);

// The upstream has confirmed that the repository holds it.
void note_seen(index::Index& index, const Source& source, const oci::Digest& digest, WallTime now);

// Whether a manifest may be served by its digest. Denied while it is too young, or never seen.
Result<void> check_cooldown(const index::Index& index, const Source& source,
                            const oci::Digest& digest, std::chrono::milliseconds cooldown,
                            WallTime now);

// The manifests that an index names are as old as the index.
void learn_children(index::Index& index, const Source& source, const oci::Digest& parent,
                    const index::DigestList& children);

// The same where the index is stored already.
void learn_children(index::Index& index, const Source& source, const oci::Digest& parent);

}  // namespace fairlead::cache
