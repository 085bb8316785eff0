// SPDX-License-Identifier: Apache-2.0
// BucketEvictor: keeps the cache's bucket within its limits, for all processes that share it.
//
// No process knows what the others use, so nothing of this one's index is asked: what a blob's mark
// (s3/bucket_blob_store.h) says is when it was last used, to within kMarkedEvery; a blob without a
// mark was last used when it was written. Blobs and marks are listed side by side, a page of each
// at a time, in the order of their keys.
//
// The attack on a pull: a client is sent to a blob that is removed while it is on its way. So
// nothing goes that was used within kSpared, which is more than the marks lag behind and the
// longest redirect lasts; and before each removal its mark is looked at once more. A mark ahead of
// the clock counts as now.
//
// Memory: two pages of a listing, and a count of bytes for each hour of last use.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "base/clock.h"
#include "base/error.h"
#include "s3/bucket_blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct BucketLimits {
  std::uint64_t max_bytes = 0;      // 0: no limit
  std::chrono::seconds max_age{0};  // since the last use; 0: no limit
};

struct BucketEvicted {
  std::uint64_t listed = 0;  // blobs
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
};

// One thread. Logs what a run removed and why.
class BucketEvictor {
 public:
  static constexpr std::chrono::hours kMarkedEvery{1};

  // `spared`: not less than twice kMarkedEvery and the longest presigned URL together. All must
  // outlive it.
  BucketEvictor(s3::BucketBlobStore& store, BucketLimits limits, std::chrono::seconds spared,
                const Clock& clock, telemetry::Log& log);

  // Removes what was not used for `max_age`; then, when there are more than `max_bytes`, the
  // oldest until there are 90 % of that. Blocks. An error: something could not be listed or
  // removed; the rest waits for the next run.
  Result<BucketEvicted> run(std::stop_token stop = {});

 private:
  // To be filled in by whoever builds it.
};

}  // namespace fairlead::cache
