// SPDX-License-Identifier: Apache-2.0
// BucketKeeper: what is done for the cache's bucket in the background.
//
//   on demand  uploads what the disk has got, marks uses, looks at what seems damaged
//   once       aborts what a crash left half-uploaded; uploads what the disk has and the bucket not
//   steadily   the same again after uploads failed; evicts (bucket_evictor.h); scrubs
//
// Nobody waits for it, and no pull fails for it. Content that is being uploaded is in use on the
// disk. What cannot be queued or uploaded is made up for, once the bucket does its work again.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>

#include "async/blocking_pool.h"
#include "async/broadcast.h"
#include "async/task_group.h"
#include "base/clock.h"
#include "cache/bookkeeper.h"
#include "cache/bucket_evictor.h"
#include "cache/bucket_memory.h"
#include "cache/bucket_scrubber.h"
#include "index/index.h"
#include "s3/bucket_blob_store.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct BucketKeeperOptions {
  BucketLimits limits;
  std::chrono::seconds scrub{0};  // all is read once in it; 0: never
  std::chrono::seconds presign_expiry{std::chrono::minutes(20)};
};

// Must outlive its tasks. offer(), note_use() and suspect() from any thread; they do not block.
class BucketKeeper {
 public:
  static constexpr std::size_t kMaxJobs = 10'000;
  static constexpr int kAtOnce = 2;  // jobs

  // All must outlive it.
  BucketKeeper(const BucketKeeperOptions& options, s3::BucketBlobStore& bucket,
               store::BlobStore& disk, const index::Index& index, Bookkeeper& bookkeeper,
               const Clock& clock, telemetry::Log& log);

  // The disk has it now.
  void offer(const oci::Digest& digest);
  // It was served, from wherever.
  void note_use(const oci::Digest& digest);
  // What the bucket has of it was not what it should be.
  void suspect(const oci::Digest& digest);

  [[nodiscard]] BucketMemory& memory() { return memory_; }

  // On `executor`, once.
  void start(const async::Executor& executor, async::TaskGroup& tasks);

  // Its tasks end soon, if the bucket's connections have been closed as well. From any thread.
  void stop();

 private:
  enum class Work { Upload, Mark, Check };
  using Job = std::pair<Work, oci::Digest>;

  void add(Job job);
  std::optional<Job> take();
  void put_off_mark(const oci::Digest& digest);
  async::Task<> do_jobs();
  async::Task<> look_after();
  async::Task<> scrub();
  async::Task<bool> rest(std::chrono::milliseconds duration);

  // These block.
  void do_job(const Job& job);
  void upload(const oci::Digest& digest);
  void check(const oci::Digest& digest);
  void begin();
  void make_up_when_due();
  void make_up_for_uploads();

  s3::BucketBlobStore& bucket_;
  store::BlobStore& disk_;
  Bookkeeper& bookkeeper_;
  const index::Index& index_;
  const Clock& clock_;
  telemetry::Log& log_;
  BucketMemory memory_;
  BucketEvictor evictor_;
  BucketScrubber scrubber_;
  SteadyTime next_make_up_{};  // by look_after() alone, as is the next
  std::chrono::seconds make_up_pause_;
  const bool is_limited_;
  const bool is_scrubbed_;

  std::mutex mutex_;  // what follows
  std::deque<Job> jobs_;
  std::set<Job> waiting_;    // the same
  bool has_missed_ = false;  // something was not uploaded

  async::Broadcast changed_;
  async::Broadcast stopped_;
  std::stop_source stop_;
  async::BlockingPool pool_;
};

}  // namespace fairlead::cache
