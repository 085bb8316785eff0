// SPDX-License-Identifier: Apache-2.0
// purge(): forgets images on request: their tags, the permission to serve them, and the content
// that then belongs to no repository any more.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "cache/bookkeeper.h"
#include "cache/image_pattern.h"
#include "index/index.h"

namespace fairlead::cache {

struct Purged {
  std::uint64_t removed = 0;  // contents
  std::uint64_t bytes = 0;
  std::uint64_t in_use = 0;  // contents that somebody still reads: they go by eviction
};

// Whether purging `pattern` would forget anything.
bool matches_any_image(const index::Index& index, const ImagePattern& pattern);

// A pattern with a tag leaves what other tags of the same repository still mean. Blocks; durable
// when it returns.
Result<Purged> purge(index::Index& index, Bookkeeper& bookkeeper,
                     const std::vector<ImagePattern>& patterns);

}  // namespace fairlead::cache
