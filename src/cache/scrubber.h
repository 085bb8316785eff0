// SPDX-License-Identifier: Apache-2.0
// Scrubber: reads all stored content again and again, slowly, and removes what is not what its
// digest says, so that the next pull fetches it anew.
//
// Goes round by digest, beginning anywhere, so that restarts do not always leave out the same. A
// round takes `period`; where the content is little it is done sooner, at `min_pace`, and the
// next round waits. The order of digests is no order of content, so the load is even.
//
// A step reads one MiB at most and says how long to wait before the next, so that the loop around
// it stops quickly. Damage on the way to a client is another matter: size is checked on opening,
// and clients check digests.
//
// Not thread-safe: one loop. Steps block, and hold no lock while they read.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cache/bookkeeper.h"
#include "cache/content_check.h"
#include "index/index.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct ScrubOptions {
  std::chrono::seconds period{std::chrono::days(30)};  // of a round; 1 s to 10 years
  std::uint64_t min_pace = 1 << 20;                    // bytes a second
};

// What was read since the beginning.
struct ScrubCounts {
  std::uint64_t contents = 0;
  std::uint64_t bytes = 0;
  std::uint64_t damaged = 0;  // and removed
  std::uint64_t failed = 0;   // could not be opened or removed; told in the log
};

class Scrubber {
 public:
  Scrubber(const index::Index& index, store::BlobStore& store, Bookkeeper& bookkeeper,
           const ScrubOptions& options, const Clock& clock, telemetry::Log& log);

  // Some work; how long to wait before the next step, a minute at most.
  std::chrono::milliseconds step(const std::stop_token& stop = {});

  [[nodiscard]] const ScrubCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }  // that are complete

 private:
  std::uint64_t work(const std::stop_token& stop);
  bool begin_next();
  std::uint64_t check_piece(std::uint64_t budget);
  void list_next();
  [[nodiscard]] std::uint64_t distance(const oci::Digest& digest) const;
  [[nodiscard]] std::chrono::milliseconds time_for(std::uint64_t cost) const;

  const index::Index& index_;
  store::BlobStore& store_;
  Bookkeeper& bookkeeper_;
  const std::chrono::seconds period_;
  const std::uint64_t min_pace_;
  const Clock& clock_;
  telemetry::Log& log_;

  const std::uint64_t start_;  // fingerprint where rounds begin
  std::vector<std::byte> buffer_;
  std::optional<SteadyTime> resume_at_;  // no work before; none: not begun
  SteadyTime round_began_;
  bool is_round_complete_ = false;
  std::vector<oci::Digest> next_;         // of this round, the nearest last
  std::optional<std::uint64_t> reached_;  // distance up to which this round has listed
  std::optional<ContentCheck> current_;   // being read
  std::uint64_t rounds_ = 0;
  ScrubCounts counts_;
};

}  // namespace fairlead::cache
