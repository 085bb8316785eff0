// SPDX-License-Identifier: Apache-2.0
// check_in_bucket(): whether one content of the cache's bucket is what its digest says.
#pragma once

#include <cstdint>
#include <stop_token>

#include "base/error.h"
#include "oci/digest.h"
#include "s3/bucket_blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct BucketScrubCounts {
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
  std::uint64_t damaged = 0;  // and removed
};

// Reads it, whoever uses it, and removes it if it is damaged; the log tells. Adds to `counts`.
// Blocks.
Result<void> check_in_bucket(s3::BucketBlobStore& store, const oci::Digest& digest,
                             telemetry::Log& log, const std::stop_token& stop,
                             BucketScrubCounts& counts);

}  // namespace fairlead::cache
