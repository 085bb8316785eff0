// SPDX-License-Identifier: Apache-2.0
// CacheOptions: what of pulled content is kept, for how long, and how fresh it must be.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/freshness.h"
#include "cache/image_pattern.h"

namespace fairlead::cache {

struct CacheOptions {
  std::string directory;
  std::uint64_t max_size = std::uint64_t{10} << 30;        // bytes of stored content; 0: no limit
  std::chrono::milliseconds max_age{0};                    // since the last use; 0: no limit
  std::vector<ImagePattern> keep;                          // what eviction leaves alone
  std::chrono::milliseconds scrub{std::chrono::days(30)};  // all is read once in it; 0: never
  bool write_through = true;                               // what is pushed is kept, too
  FreshnessPolicy freshness;                               // routes may say otherwise
};

}  // namespace fairlead::cache
