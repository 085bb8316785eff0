// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_memory.h"

#include <utility>

#include "cache/fingerprint.h"

namespace fairlead::cache {
namespace {

// All of a full shard goes: it is only a memory.
template <class Map>
void make_room(Map& map, std::size_t capacity) {
  if (map.size() >= capacity) map.clear();
}

}  // namespace

BucketMemory::Shard& BucketMemory::shard_of(const oci::Digest& digest) const {
  return shards_[fingerprint(digest) % kShards];
}

std::optional<BucketMemory::Known> BucketMemory::find(const oci::Digest& digest,
                                                      SteadyTime now) const {
  const Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.known.find(digest.str());
  if (found == shard.known.end() || found->second.until <= now) return std::nullopt;
  return Known{found->second.content};
}

void BucketMemory::put(const oci::Digest& digest, Noted noted) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  make_room(shard.known, kCapacity / kShards);
  shard.known.insert_or_assign(digest.str(), std::move(noted));
}

void BucketMemory::note(const oci::Digest& digest, std::optional<InBucket> content,
                        SteadyTime now) {
  const SteadyTime until = now + (content ? kPresentFor : kAbsentFor);
  put(digest, {std::move(content), until});
}

void BucketMemory::shun(const oci::Digest& digest, SteadyTime now) {
  put(digest, {std::nullopt, now + kShunnedFor});
}

void BucketMemory::forget(const oci::Digest& digest) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  shard.known.erase(digest.str());
}

bool BucketMemory::take_mark(const oci::Digest& digest, SteadyTime now,
                             std::chrono::seconds period) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  make_room(shard.marked, kCapacity / kShards);
  const auto [found, is_new] = shard.marked.try_emplace(digest.str(), now);
  if (is_new) return true;
  if (now - found->second < period) return false;
  found->second = now;
  return true;
}

void BucketMemory::put_off_mark(const oci::Digest& digest, SteadyTime until,
                                std::chrono::seconds period) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  shard.marked.insert_or_assign(digest.str(), until - period);
}

}  // namespace fairlead::cache
