// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_scrubber.h"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace fairlead::cache {
namespace {

// What asking for a content costs, counted as bytes, so that many small ones are no burst.
constexpr std::uint64_t kOpenCost = 16 * 1024;

constexpr std::uint64_t kMinPace = 1 << 20;  // bytes a second

// What SteadyTime can tell, by far.
constexpr std::chrono::seconds kMaxPeriod = std::chrono::years(10);

constexpr std::chrono::milliseconds kMaxPause = std::chrono::minutes(1);

oci::Digest any_digest() {
  std::random_device random;
  const std::string bytes = std::to_string(random()) + " " + std::to_string(random());
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
}

std::uint64_t cost_of(const s3::ListedContent& content) { return content.size + kOpenCost; }

}  // namespace

BucketScrubber::BucketScrubber(s3::BucketBlobStore& store, std::chrono::seconds period,
                               const Clock& clock, telemetry::Log& log)
    : store_(store),
      period_(std::clamp(period, std::chrono::seconds(1), kMaxPeriod)),
      clock_(clock),
      log_(log),
      start_(any_digest()),
      walk_(store.blobs(start_)) {}

std::chrono::milliseconds BucketScrubber::step(std::stop_token stop) {
  const SteadyTime now = clock_.steady();
  if (!resume_at_) {
    resume_at_ = now;
    round_began_ = now;
  }
  if (now >= *resume_at_) {
    const auto cost = work(stop);
    report_failure(cost);
    // What was missed is made up for, but not as a burst after a long sleep.
    *resume_at_ = cost ? std::max(*resume_at_, now - kMaxPause) + time_for(*cost) : now + kMaxPause;
    if (std::exchange(is_round_complete_, false)) {
      *resume_at_ = std::max(*resume_at_, round_began_ + period_);
      round_began_ = *resume_at_;
    }
  }
  const auto pause = std::chrono::ceil<std::chrono::milliseconds>(*resume_at_ - clock_.steady());
  return std::clamp(pause, std::chrono::milliseconds(0), kMaxPause);
}

// What it cost.
Result<std::uint64_t> BucketScrubber::work(const std::stop_token& stop) {
  const auto content = next();
  if (!content) return std::unexpected(content.error());
  if (!*content) {
    is_round_complete_ = true;
    ++rounds_;
    last_cost_ = std::exchange(cost_, 0);
    has_wrapped_ = false;
    walk_ = store_.blobs(start_);
    return 0;
  }
  cost_ += cost_of(**content);
  if (auto checked = check_in_bucket(store_, (*content)->digest, log_, stop, counts_); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return cost_of(**content);
}

// nullopt: the round is complete.
Result<std::optional<s3::ListedContent>> BucketScrubber::next() {
  auto found = walk_.next();
  if (found && !*found && !has_wrapped_) {
    has_wrapped_ = true;
    walk_ = store_.blobs();
    found = walk_.next();
  }
  if (found && *found && has_wrapped_ && (*found)->digest > start_) return std::nullopt;
  return found;
}

void BucketScrubber::report_failure(const Result<std::uint64_t>& went_well) {
  if (!went_well && went_well.error().code == Code::Cancelled) return;
  const bool was_failing = std::exchange(is_failing_, !went_well);
  if (went_well || was_failing) return;
  log_.warn("cannot check content in the bucket; going on with the next",
            {{"error", std::string_view(went_well.error().context)}});
}

std::chrono::milliseconds BucketScrubber::time_for(std::uint64_t cost) const {
  const double pace =
      std::max(static_cast<double>(kMinPace),
               static_cast<double>(last_cost_) / static_cast<double>(period_.count()));
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(cost) * 1000 / pace));
}

}  // namespace fairlead::cache
