// SPDX-License-Identifier: Apache-2.0
#include "cache/cooldown.h"

#include <algorithm>
#include <string>

#include "cache/tag_variant.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

using std::chrono::milliseconds;

// Where sights by digest are kept: no repository's name.
std::string by_digest(const Source& source) { return source.repository + "@"; }

std::unexpected<Error> refusal(const std::string& what, milliseconds age, milliseconds cooldown,
                               WallTime now) {
  return client_error(Code::Denied, what + " is held back by the route's cooldown until " +
                                        utc_text(now + (cooldown - age)));
}

// The earliest sight of either kind.
std::optional<WallTime> first_sight(const index::Index& index, const Source& source,
                                    const oci::Digest& digest) {
  const auto behind_tag = index.seen(source.registry_name, source.repository, digest);
  const auto itself = index.seen(source.registry_name, by_digest(source), digest);
  if (behind_tag && itself) return std::min(*behind_tag, *itself);
  return behind_tag ? behind_tag : itself;
}

milliseconds passed(WallTime since, WallTime now) {
  return std::chrono::duration_cast<milliseconds>(now - since);
}

}  // namespace

milliseconds age_behind_tag(index::Index& index, const Source& source, const oci::Digest& digest,
                            WallTime now) {
  return passed(index.first_seen(source.registry_name, source.repository, digest, now), now);
}

Result<Resolved> held_back(const index::Index& index, const index::TagKey& key,
                           const Source& source, const oci::Digest& young, milliseconds age,
                           milliseconds cooldown, WallTime now) {
  auto before = index.tag(key);
  if (!before) {
    // What routes without a cooldown know, if that is old enough.
    const std::string plain = variant_of(source.accept, milliseconds(0));
    before = index.tag({key.registry, key.repository, key.tag, plain});
    const auto seen =
        before ? index.seen(key.registry, key.repository, before->digest) : std::nullopt;
    if (!seen || now - *seen < cooldown) before.reset();
  }
  const std::string what = "tag " + std::string(key.tag) + " of " + std::string(key.repository) +
                           " now means " + young.str() + ", which";
  if (!before) return refusal(what, age, cooldown, now);
  return Resolved{.digest = before->digest,
                  .media_type = before->media_type,
                  .size = before->size,
                  .etag = before->etag,
                  .freshness = Freshness::Held,
                  .notice = refusal(what, age, cooldown, now).error().context};
}

bool is_seen(const index::Index& index, const Source& source, const oci::Digest& digest) {
  return first_sight(index, source, digest).has_value();
}

void note_seen(index::Index& index, const Source& source, const oci::Digest& digest, WallTime now) {
  index.first_seen(source.registry_name, by_digest(source), digest, now);
}

Result<void> check_cooldown(const index::Index& index, const Source& source,
                            const oci::Digest& digest, milliseconds cooldown, WallTime now) {
  const auto seen = first_sight(index, source, digest);
  const milliseconds age = seen ? passed(*seen, now) : milliseconds(0);
  if (age >= cooldown) return {};
  return refusal(digest.str() + " of " + source.repository, age, cooldown, now);
}

void learn_children(index::Index& index, const Source& source, const oci::Digest& parent,
                    const index::DigestList& children) {
  const auto seen = first_sight(index, source, parent);
  if (!seen) return;
  for (const oci::Digest& child : children) note_seen(index, source, child, *seen);
}

void learn_children(index::Index& index, const Source& source, const oci::Digest& parent) {
  const auto info = index.content(parent);
  if (!info || !oci::is_index_media_type(info->media_type)) return;
  learn_children(index, source, parent, info->names);
}

}  // namespace fairlead::cache
