// SPDX-License-Identifier: Apache-2.0
#include "cache/evictor.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "cache/eviction_plan.h"
#include "cache/fingerprint.h"
#include "cache/protection.h"

namespace fairlead::cache {
namespace {

// Of one plan: some megabytes.
constexpr std::size_t kMaxVictims = 32 * 1024;

constexpr std::chrono::hours kMaxJump{1};

constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

std::uint64_t low_water(std::uint64_t max_bytes) { return max_bytes - max_bytes / 10; }

std::uint64_t excess(std::uint64_t bytes, std::uint64_t limit) {
  return bytes > limit ? bytes - limit : 0;
}

// One run's work: plan, remove, and again until the goal is met or nothing is left that may go.
class Run {
 public:
  Run(const index::Index& index, Bookkeeper& bookkeeper, const std::vector<ImagePattern>& keep,
      std::stop_token stop)
      : index_(index), bookkeeper_(bookkeeper), protection_(index, keep), stop_(std::move(stop)) {}

  // `needed`: bytes that still have to go, given what was done. Adds to `done`, also when it fails.
  using Needed = std::function<std::uint64_t(const Evicted& done)>;
  Result<void> remove(const Needed& needed, WallTime not_used_after, Evicted& done) {
    const auto spares = [this](const oci::Digest& digest) {
      return protection_.covers(digest) || in_use_.contains(fingerprint(digest));
    };
    for (;;) {
      const std::uint64_t bytes = needed(done);
      if (bytes == 0 || stop_.stop_requested()) return {};
      const auto victims = plan_eviction(index_, {bytes, not_used_after, kMaxVictims, spares});
      bool has_moved = false;
      for (const Victim& victim : victims) {
        if (needed(done) == 0 || stop_.stop_requested()) return {};
        auto moved = remove_one(victim, done);
        if (!moved) return std::unexpected(std::move(moved.error()));
        has_moved |= *moved;
      }
      if (!has_moved) return {};
    }
  }

  [[nodiscard]] bool is_stopped() const { return stop_.stop_requested(); }

 private:
  // False: nothing came of it, it was used or removed since the plan was made.
  Result<bool> remove_one(const Victim& victim, Evicted& done) {
    const auto now = index_.content(victim.digest);
    if (!now || !now->is_stored || now->last_use > victim.last_use) return false;
    const auto removal = bookkeeper_.remove(victim.digest);
    if (!removal) return std::unexpected(removal.error());
    if (*removal == store::Removal::InUse) {
      in_use_.insert(fingerprint(victim.digest));
      ++done.in_use;
    } else if (*removal == store::Removal::Removed) {
      ++done.contents;
      done.bytes += victim.size;
    }
    return true;
  }

  const index::Index& index_;
  Bookkeeper& bookkeeper_;
  const Protection protection_;
  const std::stop_token stop_;
  std::unordered_set<std::uint64_t> in_use_;  // fingerprints of what this run found so
};

void log_evicted(telemetry::Log& log, std::string_view reason, const Evicted& evicted) {
  if (evicted.contents == 0) return;
  log.info("evicted content", {{"reason", reason},
                               {"contents", static_cast<std::int64_t>(evicted.contents)},
                               {"bytes", static_cast<std::int64_t>(evicted.bytes)}});
}

Evicted sum(const Evicted& a, const Evicted& b) {
  return {a.contents + b.contents, a.bytes + b.bytes, a.in_use + b.in_use};
}

}  // namespace

Evictor::Evictor(const index::Index& index, Bookkeeper& bookkeeper, EvictionLimits limits,
                 const Clock& clock, telemetry::Log& log)
    : index_(index),
      bookkeeper_(bookkeeper),
      limits_(std::move(limits)),
      clock_(clock),
      log_(log),
      wall_at_start_(clock.wall()),
      steady_at_start_(clock.steady()) {}

bool Evictor::is_clock_believable() {
  const auto passed = clock_.wall() - wall_at_start_;
  const auto really_passed = clock_.steady() - steady_at_start_;
  const bool is_believable = passed - really_passed < kMaxJump;
  if (!is_believable && !std::exchange(has_doubted_clock_, true)) {
    log_.warn("the clock was set forward: nothing is evicted for its age until the next start");
  }
  return is_believable;
}

Result<Evicted> Evictor::run(std::stop_token stop) {
  const std::lock_guard lock(one_run_);
  const auto since_epoch = clock_.wall().time_since_epoch();
  // Compared in seconds: an age of a thousand years does not fit into WallTime.
  const bool has_age =
      limits_.max_age.count() > 0 && is_clock_believable() &&
      limits_.max_age < std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  const bool has_size = limits_.max_bytes > 0 && index_.totals().bytes > limits_.max_bytes;
  if (!has_size) is_over_limit_ = false;
  if (!has_age && !has_size) return Evicted{};

  Run run(index_, bookkeeper_, limits_.keep, std::move(stop));
  Evicted expired;
  Evicted surplus;
  Result<void> went_well;
  if (has_age) {
    const WallTime limit(since_epoch - limits_.max_age);
    went_well = run.remove([](const Evicted&) { return kAll; }, limit, expired);
  }
  if (went_well && has_size && index_.totals().bytes > limits_.max_bytes) {
    const auto needed = [this](const Evicted&) {
      return excess(index_.totals().bytes, low_water(limits_.max_bytes));
    };
    went_well = run.remove(needed, WallTime::max(), surplus);
  }
  freed_ += expired.bytes + surplus.bytes;
  report(expired, surplus, run.is_stopped());
  report_failure(went_well);
  if (!went_well) return std::unexpected(std::move(went_well.error()));
  return sum(expired, surplus);
}

void Evictor::report(const Evicted& expired, const Evicted& surplus, bool is_stopped) {
  log_evicted(log_, "not used for max_age", expired);
  log_evicted(log_, "more than max_size", surplus);
  if (is_stopped) return;  // what is over the limit would have gone
  const std::uint64_t bytes = index_.totals().bytes;
  const bool was_over_limit =
      std::exchange(is_over_limit_, limits_.max_bytes > 0 && bytes > limits_.max_bytes);
  if (!is_over_limit_ || was_over_limit) return;
  log_.warn("the cache stays larger than max_size: the rest is in use or kept by patterns",
            {{"bytes", static_cast<std::int64_t>(bytes)},
             {"max_size", static_cast<std::int64_t>(limits_.max_bytes)},
             {"in_use", static_cast<std::int64_t>(surplus.in_use)}});
}

void Evictor::report_failure(const Result<void>& went_well) {
  const bool was_failing = std::exchange(is_failing_, !went_well);
  if (went_well || was_failing) return;
  log_.warn("cannot evict content; trying again",
            {{"error", std::string_view(went_well.error().context)}});
}

Result<Evicted> Evictor::make_room(std::uint64_t bytes, std::stop_token stop) {
  const std::uint64_t freed_before = freed_;
  const std::lock_guard lock(one_run_);
  const std::uint64_t freed_meanwhile = freed_ - freed_before;
  if (freed_meanwhile >= bytes) return Evicted{};
  const auto needed = [goal = bytes - freed_meanwhile](const Evicted& done) {
    return excess(goal, done.bytes);
  };
  Run run(index_, bookkeeper_, limits_.keep, std::move(stop));
  Evicted evicted;
  auto went_well = run.remove(needed, WallTime::max(), evicted);
  freed_ += evicted.bytes;
  log_evicted(log_, "the disk is full", evicted);
  report_failure(went_well);
  if (!went_well) return std::unexpected(std::move(went_well.error()));
  return evicted;
}

}  // namespace fairlead::cache
