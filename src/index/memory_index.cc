// SPDX-License-Identifier: Apache-2.0
#include "index/memory_index.h"

#include <algorithm>
#include <utility>

namespace fairlead::index {
namespace {

// No part can hold a line feed: registry names are configured, the others follow a grammar.
std::string link_key(std::string_view registry, std::string_view repository,
                     const oci::Digest& digest) {
  std::string key;
  key.reserve(registry.size() + repository.size() + digest.str().size() + 2);
  key.append(registry).append("\n").append(repository).append("\n").append(digest.str());
  return key;
}

const std::string& key_of(const std::string& link) { return link; }
const oci::Digest& key_of(const std::pair<const oci::Digest, ContentInfo>& content) {
  return content.first;
}

// Drops entries bucket by bucket, as the hand of a clock goes round. Not the first of the
// container: that is the one inserted last, so a full index would learn nothing any more.
template <class Container>
void make_room(Container& container, std::size_t capacity, std::size_t& hand) {
  while (container.size() >= capacity) {
    const std::size_t bucket = hand++ % container.bucket_count();
    if (container.bucket_size(bucket) == 0) continue;
    container.erase(container.find(key_of(*container.begin(bucket))));
  }
}

}  // namespace

MemoryIndex::MemoryIndex(std::size_t capacity)
    : shard_capacity_(std::max<std::size_t>(1, capacity / kShards)) {}

std::size_t MemoryIndex::shard_of(const oci::Digest& digest) {
  return std::hash<oci::Digest>{}(digest) % kShards;
}

bool MemoryIndex::has_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) const {
  const Shard& shard = shards_[shard_of(digest)];
  const std::string key = link_key(registry, repository, digest);
  const std::lock_guard lock(shard.mutex);
  return shard.links.contains(key);
}

void MemoryIndex::add_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) {
  Shard& shard = shards_[shard_of(digest)];
  std::string key = link_key(registry, repository, digest);
  const std::lock_guard lock(shard.mutex);
  if (shard.links.contains(key)) return;
  make_room(shard.links, shard_capacity_, shard.hand);
  shard.links.insert(std::move(key));
}

std::optional<ContentInfo> MemoryIndex::content(const oci::Digest& digest) const {
  const Shard& shard = shards_[shard_of(digest)];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.contents.find(digest);
  if (found == shard.contents.end()) return std::nullopt;
  return found->second;
}

void MemoryIndex::put_content(const oci::Digest& digest, ContentInfo info) {
  Shard& shard = shards_[shard_of(digest)];
  const std::lock_guard lock(shard.mutex);
  if (const auto found = shard.contents.find(digest); found != shard.contents.end()) {
    found->second = std::move(info);
    return;
  }
  make_room(shard.contents, shard_capacity_, shard.hand);
  shard.contents.emplace(digest, std::move(info));
}

}  // namespace fairlead::index
