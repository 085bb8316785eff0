// SPDX-License-Identifier: Apache-2.0
// Buckets as configured: those that registries keep their data in, and that of the cache.
#pragma once

#include <chrono>
#include <cstdint>

#include "s3/bucket_options.h"
#include "s3/layout.h"

namespace fairlead::config {

struct RegistryBucket {
  s3::BucketOptions bucket;
  s3::LayoutKind layout = s3::LayoutKind::Distribution;
  std::chrono::seconds presign_expiry{std::chrono::minutes(20)};
};

struct CacheBucketOptions {
  // Pulls look here first: they must not wait long for it.
  s3::BucketOptions bucket{
      .timeouts = {.connect = std::chrono::seconds(2), .first_byte = std::chrono::seconds(3)}};
  std::uint64_t max_size = 0;            // bytes; 0: no limit
  std::chrono::milliseconds max_age{0};  // since the last use; 0: no limit
  std::chrono::milliseconds scrub{0};    // all is read once in it; 0: never
  std::chrono::seconds presign_expiry{std::chrono::minutes(20)};
};

}  // namespace fairlead::config
