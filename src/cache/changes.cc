// SPDX-License-Identifier: Apache-2.0
// Every change is noted (recent_changes.h) as it is made, or before: what was asked of the registry
// earlier than that, and answered later, does not undo it.
#include "cache/changes.h"

#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "cache/cooldown.h"
#include "cache/keep.h"
#include "cache/kept_lists.h"
#include "cache/knowledge.h"
#include "cache/manifest_names.h"
#include "cache/quiet_read.h"
#include "cache/tag_variant.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

// What the text of a manifest says. One that does not parse says nothing.
struct Reading {
  bool is_genuine = false;  // it has the digest that the registry gave it
  std::string media_type;
  std::optional<oci::Digest> subject;
  ManifestNames names;
};

Reading read_manifest(std::string_view text, const oci::Digest& digest) {
  Reading reading;
  reading.is_genuine = oci::digest_of(digest.algorithm(), as_byte_view(text)) == digest;
  auto manifest = reading.is_genuine ? oci::parse_manifest(text) : std::unexpected(Error{});
  if (!manifest) return reading;
  reading.media_type = manifest->media_type;
  if (manifest->subject) reading.subject = std::move(manifest->subject->digest);
  reading.names = names_of(*std::move(manifest));
  return reading;
}

// The same of one in the store, if it is there.
Reading read_stored_manifest(Services& services, const oci::Digest& digest) {
  const auto file = services.store.inspect(digest);
  if (!file || !*file || (*file)->size > oci::kMaxManifestSize) return {};
  std::string text((*file)->size, '\0');
  const auto read = read_quietly((*file)->fd.get(), std::as_writable_bytes(std::span(text)), 0);
  if (!read || *read != text.size()) return {};
  return read_manifest(text, digest);
}

}  // namespace

// What a registry would give who accepts less than the usual is for it to say; without a `meaning`,
// what it gives anybody. Who waits for a cooldown to pass goes on with what they have, once it was
// asked again.
void Changes::move_tag(const Source& source, const std::string& tag,
                       const index::TagInfo* meaning) {
  const std::string& registry = source.registry_name;
  for (const auto& variant : services_.index.variants(registry, source.repository, tag)) {
    const index::TagKey key{registry, source.repository, tag, variant};
    auto before = has_cooldown(variant) ? services_.index.tag(key) : std::nullopt;
    if (!before) {
      services_.index.remove_tag(key);
      continue;
    }
    before->checked = WallTime{};
    services_.index.put_tag(key, *std::move(before));
  }
  if (meaning != nullptr && oci::is_manifest_media_type(meaning->media_type)) {
    services_.index.put_tag({registry, source.repository, tag, ""}, *meaning);
  }
  services_.checks.forget(name_of_tag(source, tag));
}

async::Task<> Changes::manifest_pushed(Source source, PushedManifest manifest) {
  RecentChanges& recent = services_.checks.recent();
  source.kind = ContentKind::Manifest;
  const std::uint64_t asked = source.asked.value_or(recent.count());
  auto read = [&] { return read_manifest(*manifest.text, manifest.digest); };
  const Reading reading = co_await services_.pool.run(read);
  if (manifest.media_type.empty()) manifest.media_type = reading.media_type;
  // The attack: a type of the pusher's choosing, for content that another repository has as well.
  const bool is_as_it_says = reading.is_genuine && reading.media_type == manifest.media_type;
  const auto linked = learn_push(services_, source, manifest.digest);
  if (linked) source.asked = linked;
  if (is_as_it_says) {
    services_.index.describe(manifest.digest, manifest.media_type, manifest.text->size());
  } else {
    manifest.media_type.clear();  // what it is, the registry will say when it is asked
  }
  if (!reading.is_genuine) {
    services_.log.warn("a registry gave a pushed manifest another digest; it is not kept",
                       {{"registry", source.registry_name},
                        {"repository", source.repository},
                        {"content", manifest.digest.str()}});
  }

  const std::string holding = holding_of(source, manifest.digest);
  const WallTime now = services_.clock.wall();
  note_seen(services_.index, source, manifest.digest, now);
  if (!manifest.tags.empty()) age_behind_tag(services_.index, source, manifest.digest, now);
  learn_children(services_.index, source, manifest.digest, reading.names.manifests);
  const index::TagInfo meaning{.digest = manifest.digest,
                               .media_type = manifest.media_type,
                               .size = manifest.text->size(),
                               .checked = now};
  KeptLists lists(services_);
  for (const std::string& tag : std::set(manifest.tags.begin(), manifest.tags.end())) {
    const std::string name = name_of_tag(source, tag);
    const bool is_last = recent.at_once([&](RecentChanges::Held held) {
      const bool overlaps =
          !linked || held.has_changed(holding, *linked) || held.has_changed(name, asked);
      held.change(tags_in(source));
      held.change(name);
      move_tag(source, tag, overlaps ? nullptr : &meaning);
      return !overlaps;
    });
    co_await (is_last ? lists.add_tag(source, tag) : lists.doubt_tag(source, tag));
  }
  if (reading.subject && linked) {
    co_await lists.add_referrer(source, *reading.subject, manifest.digest, manifest.media_type,
                                manifest.text);
  } else if (reading.subject) {
    lists.doubt_referrers(source);
  }

  if (services_.uploads != nullptr && is_as_it_says) {
    auto keep = [&] {
      return keep_manifest(services_, source,
                           {.digest = manifest.digest,
                            .size = manifest.text->size(),
                            .media_type = manifest.media_type,
                            .names = reading.names.all()},
                           *manifest.text);
    };
    co_await services_.pool.run(keep);
  }
  if (services_.repositories != nullptr) {
    services_.repositories->note_pushed(source.registry_name, source.repository);
  }
}

async::Task<> Changes::manifest_deleted(Source source, oci::Digest digest) {
  RecentChanges& recent = services_.checks.recent();
  source.kind = ContentKind::Manifest;
  auto read = [&] { return read_stored_manifest(services_, digest); };
  const Reading deleted = co_await services_.pool.run(read);
  blob_deleted(source, digest);
  recent.change(tags_in(source), [] {});
  // Only after that, for it takes long where there are many.
  auto remove = [&] {
    return services_.index.remove_tags_of(source.registry_name, source.repository, digest);
  };
  const auto tags = co_await services_.pool.run(remove);
  KeptLists lists(services_);
  for (const std::string& tag : tags) {
    services_.checks.forget(name_of_tag(source, tag));
    co_await lists.remove_tag(source, tag);
  }
  // It may have had tags that only the registry knows: their list is not fresh any more either.
  if (tags.empty()) co_await lists.remove_tag(source, {});
  if (deleted.subject) {
    co_await lists.remove_referrer(source, *deleted.subject, digest);
  } else if (!deleted.is_genuine) {
    lists.doubt_referrers(source);
  }
}

async::Task<> Changes::tag_deleted(Source source, std::string tag) {
  const std::string name = name_of_tag(source, tag);
  services_.checks.recent().at_once([&](RecentChanges::Held held) {
    held.change(tags_in(source));
    held.change(name);
    services_.index.remove_tags(source.registry_name, source.repository, tag);
    services_.checks.forget(name);
  });
  KeptLists lists(services_);
  co_await lists.remove_tag(source, std::move(tag));
}

void Changes::blob_pushed(const Source& source, const oci::Digest& digest) {
  std::ignore = learn_push(services_, source, digest);
}

void Changes::blob_deleted(const Source& source, const oci::Digest& digest) {
  services_.checks.recent().change(holding_of(source, digest), [&] {
    services_.index.remove_link(source.registry_name, source.repository, digest);
  });
}

}  // namespace fairlead::cache
