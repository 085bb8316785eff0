// SPDX-License-Identifier: Apache-2.0
#include "cache/inventory.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace fairlead::cache {
namespace {

using RepositoryName = std::pair<std::string, std::string>;  // registry, repository

bool is_wanted(const std::optional<ImagePattern>& pattern, std::string_view registry,
               std::string_view repository, std::string_view tag) {
  return !pattern || (pattern->matches_repository(registry, repository) &&
                      (!pattern->tag || pattern->matches_tag(tag)));
}

std::optional<ListedImage> describe(const index::Index& index, const RepositoryName& name,
                                    std::string tag, const oci::Digest& digest) {
  const auto info = index.content(digest);
  if (!info || !info->is_stored) return std::nullopt;
  ListedImage image{.registry = name.first,
                    .repository = name.second,
                    .tag = std::move(tag),
                    .digest = digest,
                    .last_use = info->last_use};
  Digests parts;
  add_closure(index, digest, parts);
  for (const oci::Digest& part : parts) {
    if (const auto known = index.content(part)) image.size += known->size;
  }
  return image;
}

// Stored manifests by the repositories that hold them.
std::map<RepositoryName, Digests> manifests_of_repositories(const index::Index& index) {
  Digests manifests;
  index.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo& info) {
    if (!info.media_type.empty()) manifests.insert(digest);
  });
  std::map<RepositoryName, Digests> out;
  index.for_each_link(
      [&](std::string_view registry, std::string_view repository, const oci::Digest& digest) {
        if (manifests.contains(digest))
          out[{std::string(registry), std::string(repository)}].insert(digest);
      });
  return out;
}

}  // namespace

void add_closure(const index::Index& index, const oci::Digest& digest, Digests& out) {
  const auto info = index.content(digest);
  if (!info || !info->is_stored || !out.insert(digest).second) return;
  for (const oci::Digest& name : info->names) add_closure(index, name, out);
}

Inventory take_inventory(const index::Index& index) {
  Inventory out;
  Digests stored;
  index.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo& info) {
    ++out.contents;
    out.bytes += info.size;
    if (!info.media_type.empty()) ++out.manifests;
    stored.insert(digest);
  });
  std::set<std::tuple<std::string, std::string, std::string>> tags;
  index.for_each_tag([&](const index::TagKey& key, const index::TagInfo& info) {
    if (stored.contains(info.digest)) tags.emplace(key.registry, key.repository, key.tag);
  });
  out.tags = tags.size();
  std::set<RepositoryName> repositories;
  index.for_each_link(
      [&](std::string_view registry, std::string_view repository, const oci::Digest& digest) {
        if (stored.contains(digest)) repositories.emplace(registry, repository);
      });
  out.repositories = repositories.size();
  return out;
}

std::vector<ListedImage> list_images(const index::Index& index,
                                     const std::optional<ImagePattern>& pattern) {
  std::map<RepositoryName, std::map<std::string, oci::Digest>> tags;
  index.for_each_tag([&](const index::TagKey& key, const index::TagInfo& info) {
    const RepositoryName name(key.registry, key.repository);
    // The variant of most clients comes last: it stands.
    if (key.variant.empty()) {
      tags[name].insert_or_assign(std::string(key.tag), info.digest);
    } else {
      tags[name].try_emplace(std::string(key.tag), info.digest);
    }
  });
  std::vector<ListedImage> out;
  const auto add = [&](const RepositoryName& name, const std::string& tag,
                       const oci::Digest& digest) {
    if (!is_wanted(pattern, name.first, name.second, tag)) return;
    if (auto image = describe(index, name, tag, digest)) out.push_back(*std::move(image));
  };
  for (const auto& [name, digests] : tags) {
    for (const auto& [tag, digest] : digests) add(name, tag, digest);
  }
  for (const auto& [name, manifests] : manifests_of_repositories(index)) {
    Digests tagged;
    for (const auto& [tag, digest] : tags[name]) add_closure(index, digest, tagged);
    Digests named;  // by others of them: parts of an image that is listed itself
    for (const oci::Digest& digest : manifests) {
      if (const auto info = index.content(digest)) {
        named.insert(info->names.begin(), info->names.end());
      }
    }
    for (const oci::Digest& digest : manifests) {
      if (!tagged.contains(digest) && !named.contains(digest)) add(name, {}, digest);
    }
  }
  std::ranges::sort(out, {}, [](const ListedImage& image) {
    return std::tie(image.registry, image.repository, image.tag, image.digest);
  });
  return out;
}

}  // namespace fairlead::cache
