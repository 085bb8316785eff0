// SPDX-License-Identifier: Apache-2.0
// MemoryIndex: an Index that lives as long as the process.
//
// Sharded by digest; a shard that is full drops entries of its own choosing.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "index/index.h"

namespace fairlead::index {

class MemoryIndex final : public Index {
 public:
  // At most about `capacity` links and as many contents.
  explicit MemoryIndex(std::size_t capacity = 1'000'000);

  [[nodiscard]] bool has_link(std::string_view registry, std::string_view repository,
                              const oci::Digest& digest) const override;
  void add_link(std::string_view registry, std::string_view repository,
                const oci::Digest& digest) override;
  [[nodiscard]] std::optional<ContentInfo> content(const oci::Digest& digest) const override;
  void put_content(const oci::Digest& digest, ContentInfo info) override;

 private:
  static constexpr std::size_t kShards = 64;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_set<std::string> links;  // "registry\nrepository\ndigest"
    std::unordered_map<oci::Digest, ContentInfo> contents;
    std::size_t hand = 0;  // where entries are dropped next
  };

  [[nodiscard]] static std::size_t shard_of(const oci::Digest& digest);

  std::size_t shard_capacity_;
  std::array<Shard, kShards> shards_;
};

}  // namespace fairlead::index
