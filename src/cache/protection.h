// SPDX-License-Identifier: Apache-2.0
// Protection: which stored content keep patterns save from eviction, as of one moment.
//
// A pattern without a tag covers what is linked to the repositories that it matches. One with a
// tag covers what the tags that it matches mean now, and all that this names, level by level: an
// image of that name stays whole, older ones of the same repository do not count.
//
// Immutable once made. Eight bytes a content (fingerprint.h): a mix-up keeps a content too many.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/image_pattern.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

class Protection {
 public:
  // Looks at every link and tag: not for the request path.
  Protection(const index::Index& index, const std::vector<ImagePattern>& keep);

  [[nodiscard]] bool covers(const oci::Digest& digest) const;

 private:
  std::vector<std::uint64_t> covered_;  // sorted
};

}  // namespace fairlead::cache
