// SPDX-License-Identifier: Apache-2.0
// BucketMemory: what this process knows of the cache's bucket: what is there, as of a minute ago at
// most, and which uses it has marked there. It asks nobody.
//
// Others who share the bucket spare what was used within hours (bucket_evictor.h), so what was
// there a minute ago, and was marked, still is.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "oci/digest.h"

namespace fairlead::cache {

// What the bucket has of a digest.
struct InBucket {
  std::uint64_t size = 0;
  std::string media_type;  // of a manifest; else empty
};

// Thread-safe.
class BucketMemory {
 public:
  static constexpr std::chrono::seconds kPresentFor{60};
  static constexpr std::chrono::seconds kAbsentFor{2};
  static constexpr std::chrono::minutes kShunnedFor{10};
  static constexpr std::size_t kCapacity = 64 * 1024;  // of each kind of memory

  struct Known {
    std::optional<InBucket> content;  // none: it was not there
  };
  // nullopt: not known.
  [[nodiscard]] std::optional<Known> find(const oci::Digest& digest, SteadyTime now) const;
  void note(const oci::Digest& digest, std::optional<InBucket> content, SteadyTime now);
  // Not to be used for a while, whatever is there.
  void shun(const oci::Digest& digest, SteadyTime now);
  void forget(const oci::Digest& digest);

  // Whether a use of now is to be marked: once every `period`. It is taken to be marked then.
  bool take_mark(const oci::Digest& digest, SteadyTime now, std::chrono::seconds period);
  // It could not be marked after all: not to be tried before `until`, however often it is used.
  void put_off_mark(const oci::Digest& digest, SteadyTime until, std::chrono::seconds period);

 private:
  struct Noted {
    std::optional<InBucket> content;
    SteadyTime until;
  };
  // Each with a lock of its own, so that workers seldom wait for each other.
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Noted> known;
    std::unordered_map<std::string, SteadyTime> marked;
  };
  static constexpr std::size_t kShards = 16;

  [[nodiscard]] Shard& shard_of(const oci::Digest& digest) const;
  void put(const oci::Digest& digest, Noted noted);

  mutable std::array<Shard, kShards> shards_;
};

}  // namespace fairlead::cache
