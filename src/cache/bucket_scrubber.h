// SPDX-License-Identifier: Apache-2.0
// BucketScrubber: reads what the cache's bucket holds, steadily, and removes what is not what its
// digest says. It begins at any place of the bucket and goes round; one page of the listing at a
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "base/clock.h"
#include "base/error.h"
#include "s3/bucket_blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct BucketScrubCounts {
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
  std::uint64_t damaged = 0;  // and removed
};

// One thread.
class BucketScrubber {
 public:
  // `period`: of a round. All must outlive it.
  BucketScrubber(s3::BucketBlobStore& store, std::chrono::seconds period, const Clock& clock,
                 telemetry::Log& log);

  // Checks one content; how long to wait before the next step, so that a round takes the period (as
  // far as the size of the bucket is known from the round before; else a MiB a second). Blocks.
  std::chrono::milliseconds step(std::stop_token stop = {});

  // Reads one content; removes it if it is damaged. Blocks; from any thread.
  Result<void> check(const oci::Digest& digest);

  [[nodiscard]] const BucketScrubCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }  // that are complete

 private:
  // To be filled in by whoever builds it.
  BucketScrubCounts counts_;
  std::uint64_t rounds_ = 0;
};

}  // namespace fairlead::cache
