// SPDX-License-Identifier: Apache-2.0
// plan_eviction(): which stored content goes next, oldest last use first.
//
// Two passes over the index. The first takes 16 bytes a content and finds how far in the order the
// needed bytes reach, the second collects the digests up to there. What changes between the
// passes makes a plan a little too long or short: whoever carries it out looks again at each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

struct Victim {
  oci::Digest digest;
  WallTime last_use{};
  std::uint64_t size = 0;  // bytes
};

struct EvictionGoal {
  std::uint64_t bytes = 0;                         // at least so many, if there are
  WallTime not_used_after{};                       // only content that was not
  std::size_t max_victims = 0;                     // in one plan
  std::function<bool(const oci::Digest&)> spares;  // must not call the index
};

// In the order in which they have to go: an index before its manifests before their blobs, where
// last uses are equal. Empty: there is nothing that may go.
std::vector<Victim> plan_eviction(const index::Index& index, const EvictionGoal& goal);

}  // namespace fairlead::cache
