// SPDX-License-Identifier: Apache-2.0
// Evictor: makes room in the store, least recently used first.
//
// The index keeps "no stored content was last used before a stored manifest that names it"
// (index/index.h), so by last use alone an image that is in use stays whole: its layers never go
// before its manifest, and layers that several images share go with the last of them. Among equal
// times manifests go before what they name.
//
// Left alone: what keep patterns cover (protection.h), and what is being read or filled
// (Removal::InUse); if that is too much, the store stays over its limit, and the log says so.
//
// A wall clock that was set forward by more than an hour expires nothing until the next start: it
// would be everything.
//
// Memory stays small: a first pass over the index takes 16 bytes a content to find the time up to
// which all must go, a second one collects those, some ten thousand at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cache/bookkeeper.h"
#include "cache/image_pattern.h"
#include "index/index.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct EvictionLimits {
  std::uint64_t max_bytes = 0;      // of all stored content; 0: no limit
  std::chrono::seconds max_age{0};  // since the last use; 0: no limit
  std::vector<ImagePattern> keep;
};

// What a run did.
struct Evicted {
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
  std::uint64_t in_use = 0;  // contents that had to go and were in use
};

// Thread-safe. Logs what a run removed and why, and when runs begin to fail or cannot get below
// the limit. All calls block; a run ends early when `stop` is requested.
class Evictor {
 public:
  Evictor(const index::Index& index, Bookkeeper& bookkeeper, EvictionLimits limits,
          const Clock& clock, telemetry::Log& log);

  // Removes what was not used for `max_age`; then, when there are more than `max_bytes`, the
  // oldest until there are 90 % of that. An error: something could not be removed; the rest waits
  // for the next run.
  Result<Evicted> run(std::stop_token stop = {});

  // Removes the oldest, of `bytes` bytes at least, for when the disk is full. Also content that is
  // within the limits. What another run freed while this one waited for its turn counts.
  Result<Evicted> make_room(std::uint64_t bytes, std::stop_token stop = {});

 private:
  [[nodiscard]] bool is_clock_believable();
  void report(const Evicted& expired, const Evicted& surplus, bool is_stopped);
  void report_failure(const Result<void>& went_well);

  const index::Index& index_;
  Bookkeeper& bookkeeper_;
  const EvictionLimits limits_;
  const Clock& clock_;
  telemetry::Log& log_;
  const WallTime wall_at_start_;
  const SteadyTime steady_at_start_;
  bool has_doubted_clock_ = false;
  std::mutex one_run_;
  bool is_over_limit_ = false;           // as the log knows it
  bool is_failing_ = false;              // the same
  std::atomic<std::uint64_t> freed_{0};  // bytes, by all runs
};

}  // namespace fairlead::cache
