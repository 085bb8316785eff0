// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_evictor.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace fairlead::cache {
namespace {

std::uint64_t low_water(std::uint64_t max_bytes) { return max_bytes - max_bytes / 10; }

// Compared in seconds: an age of a thousand years does not fit into WallTime.
WallTime before(WallTime now, std::chrono::seconds age) {
  const auto since_epoch = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  return age < since_epoch ? now - age : WallTime::min();
}

std::int64_t hour_of(WallTime time) {
  return std::chrono::floor<std::chrono::hours>(time.time_since_epoch()).count();
}

// A blob and its mark, or one of them.
struct Used {
  oci::Digest digest;
  std::optional<std::uint64_t> size;  // of the blob; nullopt: there is none
  WallTime last_use{};
};

// Blobs and marks, side by side.
class UseWalk {
 public:
  UseWalk(s3::BucketBlobStore& store, WallTime now)
      : blobs_(store.blobs()), marks_(store.marks()), now_(now) {}

  // nullopt: that was all.
  Result<std::optional<Used>> next() {
    if (auto filled = fill(blobs_, blob_); !filled) return std::unexpected(filled.error());
    if (auto filled = fill(marks_, mark_); !filled) return std::unexpected(filled.error());
    if (!blob_ && !mark_) return std::nullopt;
    const bool has_blob = blob_ && (!mark_ || blob_->digest <= mark_->digest);
    const bool has_mark = mark_ && (!blob_ || mark_->digest <= blob_->digest);
    Used used{.digest = has_blob ? blob_->digest : mark_->digest};
    if (has_mark) used.last_use = std::exchange(mark_, std::nullopt)->modified;
    if (has_blob) {
      used.size = blob_->size;
      used.last_use = has_mark ? std::max(used.last_use, blob_->modified) : blob_->modified;
      blob_.reset();
    }
    used.last_use = std::min(used.last_use, now_);
    return used;
  }

 private:
  static Result<void> fill(s3::BucketWalk& walk, std::optional<s3::ListedContent>& next) {
    if (next) return {};
    auto found = walk.next();
    if (!found) return std::unexpected(std::move(found.error()));
    next = *std::move(found);
    return {};
  }

  s3::BucketWalk blobs_;
  s3::BucketWalk marks_;
  const WallTime now_;
  std::optional<s3::ListedContent> blob_;  // the next one
  std::optional<s3::ListedContent> mark_;
};

// What is there, and what of it has to go.
class Plan {
 public:
  Plan(const BucketLimits& limits, std::chrono::seconds spared, WallTime now)
      : max_bytes_(limits.max_bytes),
        idle_before_(before(now, spared)),
        fresh_from_(limits.max_age.count() > 0 ? before(now, limits.max_age) : WallTime::min()) {}

  void add(const Used& used) {
    if (!used.size) {
      has_stray_marks_ |= is_idle(used);
      return;
    }
    ++listed_;
    bytes_ += *used.size;
    if (is_expired(used)) {
      has_expired_ = true;
      expired_ += *used.size;
    } else if (is_idle(used)) {
      idle_[hour_of(used.last_use)] += *used.size;
    }
  }

  // All has been added: sets the hour up to which the surplus goes.
  void settle() {
    const std::uint64_t left = bytes_ - expired_;
    if (max_bytes_ == 0 || left <= max_bytes_) return;
    std::uint64_t needed = left - low_water(max_bytes_);
    for (const auto& [hour, bytes] : idle_) {
      surplus_hour_ = hour;
      surplus_in_hour_ = std::min(needed, bytes);
      needed -= surplus_in_hour_;
      if (needed == 0) return;
    }
  }

  [[nodiscard]] bool is_idle(const Used& used) const { return used.last_use < idle_before_; }
  [[nodiscard]] bool is_expired(const Used& used) const {
    return is_idle(used) && used.last_use < fresh_from_;
  }
  // `freed_in_hour`: bytes of the last hour that are gone already.
  [[nodiscard]] bool is_surplus(const Used& used, std::uint64_t freed_in_hour) const {
    if (!surplus_hour_ || !is_idle(used)) return false;
    const std::int64_t hour = hour_of(used.last_use);
    return hour < *surplus_hour_ || (hour == *surplus_hour_ && freed_in_hour < surplus_in_hour_);
  }
  [[nodiscard]] bool is_in_last_hour(const Used& used) const {
    return surplus_hour_ == hour_of(used.last_use);
  }
  [[nodiscard]] bool has_work() const { return has_expired_ || surplus_hour_ || has_stray_marks_; }
  [[nodiscard]] std::uint64_t listed() const { return listed_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  const std::uint64_t max_bytes_;
  const WallTime idle_before_;
  const WallTime fresh_from_;
  std::uint64_t listed_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t expired_ = 0;
  bool has_expired_ = false;
  bool has_stray_marks_ = false;
  std::map<std::int64_t, std::uint64_t> idle_;  // bytes by the hour of their last use
  std::optional<std::int64_t> surplus_hour_;    // and all before it
  std::uint64_t surplus_in_hour_ = 0;           // bytes of this hour
};

// Calls `visit` with all there is, until it fails or `stop` is requested.
template <class Visit>
Result<void> for_each_used(s3::BucketBlobStore& store, WallTime now, const std::stop_token& stop,
                           Visit visit) {
  UseWalk walk(store, now);
  while (!stop.stop_requested()) {
    auto used = walk.next();
    if (!used) return std::unexpected(std::move(used.error()));
    if (!*used) return {};
    if (Result<void> went_well = visit(**used); !went_well) return went_well;
  }
  return {};
}

// Removes what a plan says.
class Removing {
 public:
  Removing(s3::BucketBlobStore& store, const Plan& plan) : store_(store), plan_(plan) {}

  Result<void> visit(const Used& used) {
    if (!plan_.is_idle(used)) return {};
    if (!used.size) {
      const auto removal = store_.remove_stray_mark(used.digest, used.last_use);
      if (!removal) return std::unexpected(removal.error());
      return {};
    }
    const bool is_expired = plan_.is_expired(used);
    if (!is_expired && !plan_.is_surplus(used, freed_in_hour_)) return {};
    const auto removal = store_.remove_idle(used.digest, used.last_use);
    if (!removal) return std::unexpected(removal.error());
    // Also when another process was quicker.
    const bool is_gone = *removal != store::Removal::InUse;
    if (is_gone && !is_expired && plan_.is_in_last_hour(used)) freed_in_hour_ += *used.size;
    if (*removal != store::Removal::Removed) return {};
    BucketEvicted& evicted = is_expired ? expired_ : surplus_;
    ++evicted.contents;
    evicted.bytes += *used.size;
    return {};
  }

  [[nodiscard]] const BucketEvicted& expired() const { return expired_; }
  [[nodiscard]] const BucketEvicted& surplus() const { return surplus_; }

 private:
  s3::BucketBlobStore& store_;
  const Plan& plan_;
  BucketEvicted expired_;
  BucketEvicted surplus_;
  std::uint64_t freed_in_hour_ = 0;
};

void log_evicted(telemetry::Log& log, std::string_view reason, const BucketEvicted& evicted) {
  if (evicted.contents == 0) return;
  log.info("evicted content from the bucket",
           {{"reason", reason},
            {"contents", static_cast<std::int64_t>(evicted.contents)},
            {"bytes", static_cast<std::int64_t>(evicted.bytes)}});
}

}  // namespace

BucketEvictor::BucketEvictor(s3::BucketBlobStore& store, BucketLimits limits,
                             std::chrono::seconds spared, const Clock& clock, telemetry::Log& log)
    : store_(store), limits_(limits), spared_(spared), clock_(clock), log_(log) {}

Result<BucketEvicted> BucketEvictor::run(std::stop_token stop) {
  const WallTime now = clock_.wall();
  Plan plan(limits_, spared_, now);
  auto went_well = for_each_used(store_, now, stop, [&](const Used& used) -> Result<void> {
    plan.add(used);
    return {};
  });
  Removing removing(store_, plan);
  if (went_well && !stop.stop_requested()) {
    plan.settle();
    if (plan.has_work()) {
      went_well =
          for_each_used(store_, now, stop, [&](const Used& used) { return removing.visit(used); });
    }
  }
  const BucketEvicted& expired = removing.expired();
  const BucketEvicted& surplus = removing.surplus();
  log_evicted(log_, "not used for max_age", expired);
  log_evicted(log_, "more than max_size", surplus);
  report_failure(went_well);
  if (!went_well) return std::unexpected(std::move(went_well.error()));
  if (!stop.stop_requested()) report_size(plan.bytes() - expired.bytes - surplus.bytes);
  return BucketEvicted{plan.listed(), expired.contents + surplus.contents,
                       expired.bytes + surplus.bytes};
}

void BucketEvictor::report_size(std::uint64_t bytes) {
  const bool was_over_limit =
      std::exchange(is_over_limit_, limits_.max_bytes > 0 && bytes > limits_.max_bytes);
  if (!is_over_limit_ || was_over_limit) return;
  log_.warn("the cache's bucket stays larger than max_size: the rest was used lately",
            {{"bytes", static_cast<std::int64_t>(bytes)},
             {"max_size", static_cast<std::int64_t>(limits_.max_bytes)}});
}

void BucketEvictor::report_failure(const Result<void>& went_well) {
  const bool was_failing = std::exchange(is_failing_, !went_well);
  if (went_well || was_failing) return;
  log_.warn("cannot evict content from the bucket; trying again",
            {{"error", std::string_view(went_well.error().context)}});
}

}  // namespace fairlead::cache
