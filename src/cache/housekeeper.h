// SPDX-License-Identifier: Apache-2.0
// Housekeeper: what the cache does by itself, beside serving.
//
//   once       brings rows and files together (reconcile.h)
//   on demand  evicts when the store has grown over its limit, or the disk was full (evictor.h)
//   steadily   evicts what was not used for too long; reads and checks all content (scrubber.h);
//              drops what is kept of uploads that are not gone on with (kept_uploads.h)
//
// It never stands in the way: all of it blocks threads of the pool only, and ends when asked to.
#pragma once

#include <stop_token>

#include "async/broadcast.h"
#include "async/task.h"
#include "cache/evictor.h"
#include "cache/options.h"
#include "cache/scrubber.h"
#include "cache/services.h"

namespace fairlead::cache {

// Must outlive its tasks, which run in the services' group.
class Housekeeper {
 public:
  Housekeeper(Services& services, const CacheOptions& options);

  // Blocks until files and rows are together: for an index that was lost, before serving.
  void reconcile_all();

  // On `executor`, once.
  void start(const async::Executor& executor);

  // Its tasks end soon. From any thread.
  void stop();

 private:
  void make_room();
  void log_round();
  async::Task<> keep_limits();
  async::Task<> reconcile_and_scrub();

  Services& services_;
  const CacheOptions options_;
  Evictor evictor_;
  Scrubber scrubber_;
  ScrubCounts scrubbed_;     // as of the last complete round
  SteadyTime next_run_{};    // of the evictor, for size; by make_room() alone
  SteadyTime next_aging_{};  // the same, for age
  std::stop_source stop_;
  async::Broadcast stopped_;
};

}  // namespace fairlead::cache
