// SPDX-License-Identifier: Apache-2.0
#include "cache/cooldown.h"

#include <string>

#include "cache/tag_variant.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

using std::chrono::milliseconds;

std::unexpected<Error> refusal(const std::string& what, milliseconds age, milliseconds cooldown,
                               WallTime now) {
  return client_error(Code::Denied, what + " is held back by the route's cooldown until " +
                                        utc_text(now + (cooldown - age)));
}

}  // namespace

milliseconds age_of(index::Index& index, const Source& source, const oci::Digest& digest,
                    WallTime now) {
  const WallTime first = index.first_seen(source.registry_name, source.repository, digest, now);
  return std::chrono::duration_cast<milliseconds>(now - first);
}

Result<Resolved> held_back(const index::Index& index, const index::TagKey& key,
                           const Source& source, const oci::Digest& young, milliseconds age,
                           milliseconds cooldown, WallTime now) {
  auto before = index.tag(key);
  if (!before) {
    // What routes without a cooldown know, if that is old enough.
    const std::string plain = variant_of(source.accept, false);
    before = index.tag({key.registry, key.repository, key.tag, plain});
    const auto seen =
        before ? index.seen(key.registry, key.repository, before->digest) : std::nullopt;
    if (!seen || now - *seen < cooldown) before.reset();
  }
  const std::string what = std::string(key.tag) + " now means " + young.str() + ", which";
  if (!before) return refusal(what, age, cooldown, now);
  return Resolved{.digest = before->digest,
                  .media_type = before->media_type,
                  .size = before->size,
                  .freshness = Freshness::Held,
                  .notice = refusal(what, age, cooldown, now).error().context};
}

Result<void> check_cooldown(index::Index& index, const Source& source, const oci::Digest& digest,
                            milliseconds cooldown, WallTime now) {
  if (cooldown.count() == 0) return {};
  const milliseconds age = age_of(index, source, digest, now);
  if (!is_too_young(age, cooldown)) return {};
  return refusal(digest.str(), age, cooldown, now);
}

void learn_children(index::Index& index, const Source& source, const oci::Digest& parent,
                    const index::DigestList& children) {
  const auto seen = index.seen(source.registry_name, source.repository, parent);
  if (!seen) return;
  for (const oci::Digest& child : children) {
    index.first_seen(source.registry_name, source.repository, child, *seen);
  }
}

void learn_children(index::Index& index, const Source& source, const oci::Digest& parent) {
  const auto info = index.content(parent);
  if (!info || !oci::is_index_media_type(info->media_type)) return;
  learn_children(index, source, parent, info->names);
}

}  // namespace fairlead::cache
