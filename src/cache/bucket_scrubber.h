// SPDX-License-Identifier: Apache-2.0
// BucketScrubber: reads what the cache's bucket holds, steadily, and removes what is not what its
// digest says. It begins at any place of the bucket and goes round; one page of the listing at a
// time. Nothing is written to the local disk.
//
// What cannot be read is told in the log and passed over until the next round: a bucket that does
// not answer is no reason to remove anything.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

#include "base/clock.h"
#include "base/error.h"
#include "cache/bucket_check.h"
#include "oci/digest.h"
#include "s3/bucket_blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

// One thread.
class BucketScrubber {
 public:
  // `period`: of a round. All must outlive it.
  BucketScrubber(s3::BucketBlobStore& store, std::chrono::seconds period, const Clock& clock,
                 telemetry::Log& log);

  // Checks one content, or none when it is not yet time; how long to wait before the next step, a
  // minute at most, so that a round takes the period (as far as the size of the bucket is known
  // from the round before; else a MiB a second, which is also the least). Blocks.
  std::chrono::milliseconds step(std::stop_token stop = {});

  [[nodiscard]] const BucketScrubCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }  // that are complete

 private:
  Result<std::uint64_t> work(const std::stop_token& stop);
  Result<std::optional<s3::ListedContent>> next();
  void report_failure(const Result<std::uint64_t>& went_well);
  [[nodiscard]] std::chrono::milliseconds time_for(std::uint64_t cost) const;

  s3::BucketBlobStore& store_;
  const std::chrono::seconds period_;
  const Clock& clock_;
  telemetry::Log& log_;

  const oci::Digest start_;  // of the rounds: behind it
  s3::BucketWalk walk_;
  bool has_wrapped_ = false;             // the walk is before `start_`
  std::optional<SteadyTime> resume_at_;  // no work before; none: not begun
  SteadyTime round_began_;
  bool is_round_complete_ = false;
  std::uint64_t cost_ = 0;       // of this round so far
  std::uint64_t last_cost_ = 0;  // of the round before; 0: there was none
  bool is_failing_ = false;      // as the log knows it
  BucketScrubCounts counts_;
  std::uint64_t rounds_ = 0;
};

}  // namespace fairlead::cache
