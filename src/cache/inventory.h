// SPDX-License-Identifier: Apache-2.0
// What is in the cache, for the people who run it. Not for the request path: looks at all of the
// index. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "cache/image_pattern.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

struct Inventory {
  std::uint64_t contents = 0;  // stored, each once
  std::uint64_t bytes = 0;
  std::uint64_t manifests = 0;
  std::uint64_t tags = 0;
  std::uint64_t repositories = 0;  // that hold any of it
};
Inventory take_inventory(const index::Index& index);

// A tag whose manifest is stored; or, without a tag, a manifest that no tag of its repository
// leads to.
struct ListedImage {
  std::string registry;
  std::string repository;
  std::string tag;  // empty: none
  oci::Digest digest;
  std::uint64_t size = 0;  // bytes, of what is stored of it
  WallTime last_use;
};
// Sorted by name. No pattern: all.
std::vector<ListedImage> list_images(const index::Index& index,
                                     const std::optional<ImagePattern>& pattern);

// `digest` and all that it names, and that names in turn, as far as it is stored.
using Digests = std::unordered_set<oci::Digest>;
void add_closure(const index::Index& index, const oci::Digest& digest, Digests& out);

}  // namespace fairlead::cache
