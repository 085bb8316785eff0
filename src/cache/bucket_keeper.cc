// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_keeper.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <vector>

#include "cache/bucket_check.h"
#include "cache/fingerprint.h"
#include "cache/manifest_names.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kLookEvery{5};
// Between tries to make up for uploads: doubled each time.
constexpr std::chrono::seconds kMaxMakeUpPause{60};
constexpr std::chrono::minutes kMarkAgainAfter{1};
constexpr std::chrono::hours kEvictEvery{1};
// Longer than any upload of another process takes.
constexpr std::chrono::hours kAbandonedAfter{48};

std::chrono::seconds spared(std::chrono::seconds presign_expiry) {
  return 2 * BucketEvictor::kMarkedEvery + presign_expiry;
}

}  // namespace

BucketKeeper::BucketKeeper(const BucketKeeperOptions& options, s3::BucketBlobStore& bucket,
                           store::BlobStore& disk, const index::Index& index,
                           Bookkeeper& bookkeeper, const Clock& clock, telemetry::Log& log)
    : bucket_(bucket),
      disk_(disk),
      bookkeeper_(bookkeeper),
      index_(index),
      clock_(clock),
      log_(log),
      evictor_(bucket, options.limits, spared(options.presign_expiry), clock, log),
      scrubber_(bucket, options.scrub, clock, log),
      make_up_pause_(kLookEvery),
      is_limited_(options.limits.max_bytes > 0 || options.limits.max_age.count() > 0),
      is_scrubbed_(options.scrub.count() > 0),
      pool_(kAtOnce + 2) {}

void BucketKeeper::offer(const oci::Digest& digest) {
  const auto known = memory_.find(digest, clock_.steady());
  if (known && known->content) return;  // it came from there
  add({Work::Upload, digest});
}

void BucketKeeper::note_use(const oci::Digest& digest) {
  if (!memory_.take_mark(digest, clock_.steady(), BucketEvictor::kMarkedEvery)) return;
  add({Work::Mark, digest});
}

void BucketKeeper::suspect(const oci::Digest& digest) {
  memory_.shun(digest, clock_.steady());
  add({Work::Check, digest});
}

void BucketKeeper::add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_upload = job.first == Work::Upload;
    if (jobs_.size() >= kMaxJobs) {
      has_missed_ |= is_upload;
      if (job.first == Work::Mark) put_off_mark(job.second);
      return;
    }
    if (!waiting_.insert(job).second) return;
    // Marks are small, and others go by them: they do not wait behind gigabytes.
    is_upload ? jobs_.push_back(std::move(job)) : jobs_.push_front(std::move(job));
  }
  changed_.notify_all();
}

// A bucket that takes no marks is not asked to with every use of what is popular.
void BucketKeeper::put_off_mark(const oci::Digest& digest) {
  memory_.put_off_mark(digest, clock_.steady() + kMarkAgainAfter, BucketEvictor::kMarkedEvery);
}

std::optional<BucketKeeper::Job> BucketKeeper::take() {
  const std::lock_guard lock(mutex_);
  if (jobs_.empty()) return std::nullopt;
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  waiting_.erase(job);
  return job;
}

void BucketKeeper::start(const async::Executor& executor, async::TaskGroup& tasks) {
  for (int i = 0; i < kAtOnce; ++i) tasks.spawn(executor, do_jobs());
  tasks.spawn(executor, look_after());
  if (is_scrubbed_) tasks.spawn(executor, scrub());
}

void BucketKeeper::stop() {
  stop_.request_stop();
  changed_.notify_all();
  stopped_.notify_all();
}

async::Task<> BucketKeeper::do_jobs() {
  for (;;) {
    const auto seen = changed_.version();
    if (stop_.stop_requested()) co_return;
    const auto job = take();
    if (!job) {
      co_await changed_.wait(seen, std::chrono::steady_clock::now() + 1h);
      continue;
    }
    auto work = [this, &job] {
      do_job(*job);
      return true;
    };
    co_await pool_.run(work);
  }
}

// False: it is time to end.
async::Task<bool> BucketKeeper::rest(std::chrono::milliseconds duration) {
  const auto seen = stopped_.version();
  if (stop_.stop_requested()) co_return false;
  co_await stopped_.wait(seen, std::chrono::steady_clock::now() + duration);
  co_return !stop_.stop_requested();
}

async::Task<> BucketKeeper::look_after() {
  auto first = [this] {
    begin();
    return true;
  };
  co_await pool_.run(first);
  SteadyTime next_eviction = clock_.steady() + kLookEvery;
  while (co_await rest(kLookEvery)) {
    auto work = [this, &next_eviction] {
      make_up_when_due();
      if (clock_.steady() < next_eviction) return true;
      next_eviction = clock_.steady() + kEvictEvery;
      std::ignore = bucket_.abort_unfinished(clock_.wall() - kAbandonedAfter);
      if (is_limited_) std::ignore = evictor_.run(stop_.get_token());
      return true;
    };
    co_await pool_.run(work);
  }
}

async::Task<> BucketKeeper::scrub() {
  std::chrono::milliseconds pause = 1s;
  while (co_await rest(pause)) {
    auto step = [this] { return scrubber_.step(stop_.get_token()); };
    pause = co_await pool_.run(step);
  }
}

void BucketKeeper::do_job(const Job& job) {
  const auto& [work, digest] = job;
  switch (work) {
    case Work::Upload:
      return upload(digest);
    case Work::Mark:
      // What is wrong with the bucket is told by its health.
      if (!bucket_.mark_used(digest)) put_off_mark(digest);
      return;
    case Work::Check:
      return check(digest);
  }
}

void BucketKeeper::upload(const oci::Digest& digest) {
  const auto row = index_.content(digest);
  if (!row || !row->is_stored) return;  // evicted meanwhile
  const auto file = disk_.open(digest);
  if (!file || !*file) return;
  // The attack: a registry serves another's manifest under another type, and all who share the
  // bucket would hand it out so.
  if (!row->media_type.empty() &&
      !says_type_in_file((*file)->fd.get(), (*file)->size, row->media_type)) {
    return;
  }
  const auto uploaded =
      bucket_.upload(digest, (*file)->fd.get(), (*file)->size, row->media_type, stop_.get_token());
  if (uploaded) {
    memory_.note(digest, InBucket{.size = (*file)->size, .media_type = row->media_type},
                 clock_.steady());
    return;
  }
  if (uploaded.error().code == Code::Cancelled) return;
  if (uploaded.error().code == Code::Corrupt) {
    log_.error("stored content is damaged; it is removed, and was not uploaded",
               {{"content", std::string_view(digest.str())},
                {"error", std::string_view(uploaded.error().context)}});
    std::ignore = bookkeeper_.remove_damaged(digest, **file);
    return;
  }
  log_.debug("cannot upload content; it is tried again",
             {{"content", std::string_view(digest.str())},
              {"error", std::string_view(uploaded.error().context)}});
  const std::lock_guard lock(mutex_);
  has_missed_ = true;
}

// Read again, from its beginning: what broke on the way is no damage.
void BucketKeeper::check(const oci::Digest& digest) {
  BucketScrubCounts counts;
  const auto checked = check_in_bucket(bucket_, digest, log_, stop_.get_token(), counts);
  if (!checked) {
    log_.warn("cannot look at content of the cache's bucket that seems damaged",
              {{"content", std::string_view(digest.str())},
               {"error", std::string_view(checked.error().context)}});
    return;
  }
  memory_.forget(digest);
}

void BucketKeeper::begin() {
  const auto aborted = bucket_.abort_interrupted();
  if (aborted && *aborted > 0) {
    log_.info("aborted uploads that an unfinished run left behind",
              {{"uploads", static_cast<std::int64_t>(*aborted)}});
  }
  {
    const std::lock_guard lock(mutex_);
    has_missed_ = true;
  }
  make_up_for_uploads();
}

void BucketKeeper::make_up_when_due() {
  const SteadyTime now = clock_.steady();
  {
    const std::lock_guard lock(mutex_);
    if (!has_missed_) make_up_pause_ = kLookEvery;
    if (!has_missed_ || now < next_make_up_) return;
  }
  make_up_for_uploads();
  next_make_up_ = now + make_up_pause_;
  make_up_pause_ = std::min(2 * make_up_pause_, kMaxMakeUpPause);
}

void BucketKeeper::make_up_for_uploads() {
  {
    const std::lock_guard lock(mutex_);
    if (!has_missed_ || !jobs_.empty()) return;
    has_missed_ = false;
  }
  std::vector<std::uint64_t> there;
  const auto listed = bucket_.for_each([&](const oci::Digest& digest, std::uint64_t, WallTime) {
    there.push_back(fingerprint(digest));
  });
  if (!listed) {
    const std::lock_guard lock(mutex_);
    has_missed_ = true;
    return;
  }
  std::ranges::sort(there);
  std::vector<oci::Digest> missing;
  index_.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo&) {
    if (missing.size() <= kMaxJobs && !std::ranges::binary_search(there, fingerprint(digest))) {
      missing.push_back(digest);
    }
  });
  for (const auto& digest : missing) add({Work::Upload, digest});
}

}  // namespace fairlead::cache
