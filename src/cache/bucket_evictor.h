// SPDX-License-Identifier: Apache-2.0
// BucketEvictor: keeps the cache's bucket within its limits, for all processes that share it.
//
// No process knows what the others use, so nothing of this one's index is asked: what a blob's mark
// (s3/bucket_blob_store.h) says is when it was last used, to within kMarkedEvery; a blob without a
// mark, or written since, was last used when it was written. Blobs and marks are listed side by
// side, a page of each at a time, in the order of their keys: once to see what is there and from
// which hour of last use on it may stay, once more to remove the rest. What cannot be listed to its
// end loses nothing.
//
// The attack on a pull: a client is sent to a blob that is removed while it is on its way. So
// nothing goes that was used within `spared`, which is more than the marks lag behind and the
// longest redirect lasts; and before each removal its mark is looked at once more. A mark ahead of
// the clock counts as now. A clock of this machine that is wrong removes nothing: S3 does not take
// requests that are signed by one.
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
  std::uint64_t max_bytes = 0;      // of all blobs; 0: no limit
  std::chrono::seconds max_age{0};  // since the last use; 0: no limit
};

struct BucketEvicted {
  std::uint64_t listed = 0;  // blobs
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
};

// One thread. Logs what a run removed and why, and when runs begin to fail or cannot get below the
// limit.
class BucketEvictor {
 public:
  static constexpr std::chrono::hours kMarkedEvery{1};

  // `spared`: not less than twice kMarkedEvery and the longest presigned URL together. All must
  // outlive it.
  BucketEvictor(s3::BucketBlobStore& store, BucketLimits limits, std::chrono::seconds spared,
                const Clock& clock, telemetry::Log& log);

  // Removes what was not used for `max_age`; then, when there are more than `max_bytes`, the
  // oldest until there are 90 % of that; and marks of blobs that are gone. Blocks. An error:
  // something could not be listed or removed; the rest waits for the next run.
  Result<BucketEvicted> run(std::stop_token stop = {});

 private:
  void report_size(std::uint64_t bytes);
  void report_failure(const Result<void>& went_well);

  s3::BucketBlobStore& store_;
  const BucketLimits limits_;
  const std::chrono::seconds spared_;
  const Clock& clock_;
  telemetry::Log& log_;
  bool is_over_limit_ = false;  // as the log knows it
  bool is_failing_ = false;     // the same
};

}  // namespace fairlead::cache
