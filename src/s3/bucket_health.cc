// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_health.h"

#include <utility>

namespace fairlead::s3 {
namespace {

// What the bucket is given a rest for.
bool is_outage(const Error& error) {
  return error.code == Code::Unavailable || error.code == Code::Timeout ||
         error.code == Code::TooManyRequests;
}

}  // namespace

BucketHealth::BucketHealth(std::string what, const Clock& clock, telemetry::Log& log)
    : what_(std::move(what)), clock_(clock), log_(log) {}

Result<void> BucketHealth::admit() {
  const std::lock_guard lock(mutex_);
  if (!resting_until_) return {};
  const SteadyTime now = clock_.steady();
  if (now >= *resting_until_) {
    // For the others the rest goes on until this question is answered.
    resting_until_ = now + kRest;
    return {};
  }
  const auto left = std::chrono::ceil<std::chrono::seconds>(*resting_until_ - now);
  return std::unexpected(Error{.code = Code::Unavailable,
                               .origin = Origin::Upstream,
                               .retry = Retry::Yes,
                               .context = trouble_ ? trouble_->context : what_ + " has a rest",
                               .retry_after = left});
}

void BucketHealth::note(const Result<void>& outcome) {
  const std::lock_guard lock(mutex_);
  if (!outcome && outcome.error().code == Code::Cancelled) return;
  const bool answers_well =
      outcome || outcome.error().code == Code::NotFound || outcome.error().code == Code::TooLarge;
  if (answers_well) {
    resting_until_.reset();
    // S3 says of an object in a bucket that is not there what it says of one that is not there.
    const bool tells_nothing = !outcome && trouble_ && trouble_->code == Code::InvalidArgument;
    if (!trouble_ || tells_nothing) return;
    trouble_.reset();
    if (is_told_) log_.info(what_ + " is well again");
    is_told_ = false;
    ended_at_ = clock_.steady();
    return;
  }
  const Error& error = outcome.error();
  if (is_outage(error)) {
    resting_until_ = clock_.steady() + kRest;
  } else {
    resting_until_.reset();
  }
  trouble_ = error;
  // What comes and goes with each question would fill the log.
  const bool is_old = ended_at_ && clock_.steady() < *ended_at_ + kQuiet && error.context == told_;
  if (is_told_ || is_old) return;
  log_.warn(what_ + " does not do its work", {{"error", error.context}});
  is_told_ = true;
  told_ = error.context;
}

std::optional<std::string> BucketHealth::trouble() const {
  const std::lock_guard lock(mutex_);
  if (!trouble_) return std::nullopt;
  return trouble_->context;
}

}  // namespace fairlead::s3
