// SPDX-License-Identifier: Apache-2.0
#include "cache/purge.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "cache/inventory.h"

namespace fairlead::cache {
namespace {

using RepositoryName = std::pair<std::string, std::string>;  // registry, repository

struct Tag {
  std::string name;
  std::string variant;
  oci::Digest digest;
};

bool matches_repository(const std::vector<ImagePattern>& patterns, const RepositoryName& name) {
  return std::ranges::any_of(patterns, [&](const ImagePattern& pattern) {
    return !pattern.tag && pattern.matches_repository(name.first, name.second);
  });
}

bool matches_tag(const std::vector<ImagePattern>& patterns, const RepositoryName& name,
                 const std::string& tag) {
  return std::ranges::any_of(patterns, [&](const ImagePattern& pattern) {
    return pattern.matches_repository(name.first, name.second) &&
           (!pattern.tag || pattern.matches_tag(tag));
  });
}

// Takes the matching tags out. Gives what is left and what went, by repository.
struct Split {
  std::map<RepositoryName, Digests> left;
  std::map<RepositoryName, Digests> gone;
};
Split remove_tags(index::Index& index, const std::vector<ImagePattern>& patterns) {
  std::map<RepositoryName, std::vector<Tag>> tags;
  index.for_each_tag([&](const index::TagKey& key, const index::TagInfo& info) {
    tags[{std::string(key.registry), std::string(key.repository)}].push_back(
        {std::string(key.tag), std::string(key.variant), info.digest});
  });
  Split split;
  for (const auto& [name, of_repository] : tags) {
    for (const Tag& tag : of_repository) {
      const bool goes = matches_tag(patterns, name, tag.name);
      if (goes) index.remove_tag({name.first, name.second, tag.name, tag.variant});
      add_closure(index, tag.digest, (goes ? split.gone : split.left)[name]);
    }
  }
  return split;
}

// Everything: also what was found without an owner.
bool means_everything(const ImagePattern& pattern) {
  return !pattern.tag && pattern.repository == "**";
}

}  // namespace

bool matches_any_image(const index::Index& index, const ImagePattern& pattern) {
  if (means_everything(pattern) && index.totals().contents > 0) return true;
  bool found = false;
  index.for_each_tag([&](const index::TagKey& key, const index::TagInfo&) {
    found = found || (pattern.matches_repository(key.registry, key.repository) &&
                      pattern.matches_tag(key.tag));
  });
  if (found || pattern.tag) return found;
  index.for_each_link(
      [&](std::string_view registry, std::string_view repository, const oci::Digest&) {
        found = found || pattern.matches_repository(registry, repository);
      });
  return found;
}

Result<Purged> purge(index::Index& index, Bookkeeper& bookkeeper,
                     const std::vector<ImagePattern>& patterns) {
  Split tags = remove_tags(index, patterns);

  // The permissions that go, and how many each content keeps.
  std::vector<std::pair<RepositoryName, oci::Digest>> links;
  std::unordered_map<oci::Digest, std::size_t> kept;
  index.for_each_link(
      [&](std::string_view registry, std::string_view repository, const oci::Digest& digest) {
        RepositoryName name(registry, repository);
        const bool goes = matches_repository(patterns, name) ||
                          (tags.gone[name].contains(digest) && !tags.left[name].contains(digest));
        if (goes) {
          links.emplace_back(std::move(name), digest);
        } else {
          ++kept[digest];
        }
      });
  Digests ownerless;
  for (const auto& [name, digest] : links) {
    index.remove_link(name.first, name.second, digest);
    if (!kept.contains(digest)) ownerless.insert(digest);
  }
  if (std::ranges::any_of(patterns, means_everything)) {
    index.for_each_stored(
        [&](const oci::Digest& digest, const index::ContentInfo&) { ownerless.insert(digest); });
  }

  Purged purged;
  for (const oci::Digest& digest : ownerless) {
    const auto info = index.content(digest);
    if (!info || !info->is_stored) continue;
    const auto removal = bookkeeper.remove(digest);
    if (!removal) return std::unexpected(removal.error());
    if (*removal == store::Removal::InUse) {
      ++purged.in_use;
    } else {
      ++purged.removed;
      purged.bytes += info->size;
    }
  }
  if (auto flushed = index.flush(); !flushed) return std::unexpected(std::move(flushed.error()));
  return purged;
}

}  // namespace fairlead::cache
