// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_health.h"

#include <algorithm>
#include <utility>

namespace fairlead::s3 {
namespace {

constexpr std::string_view kRead = "s3:GetObject";

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
  const SteadyTime until = std::max(*resting_until_, probing_until_.value_or(*resting_until_));
  if (now >= until) {
    probing_until_ = now + kProbe;
    return {};
  }
  Error error{.code = Code::Unavailable,
              .origin = Origin::Upstream,
              .retry = Retry::Yes,
              .context = what_ + " has a rest"};
  if (trouble_) {
    error.code = trouble_->code;
    error.context = trouble_->context;
  }
  error.retry_after = std::min(std::chrono::ceil<std::chrono::seconds>(until - now), kRest);
  return std::unexpected(std::move(error));
}

void BucketHealth::note(std::string_view permission, const Result<void>& outcome) {
  const std::lock_guard lock(mutex_);
  probing_until_.reset();
  const bool tells_nothing = !outcome && (outcome.error().code == Code::Cancelled ||
                                          outcome.error().origin != Origin::Upstream);
  if (tells_nothing) return;
  const bool answers_well =
      outcome || outcome.error().code == Code::NotFound || outcome.error().code == Code::TooLarge;
  if (answers_well) {
    note_answer(permission, outcome);
  } else {
    note_trouble(permission, outcome.error());
  }
  is_well_.store(!trouble_ && !denied_.contains(kRead), std::memory_order_relaxed);
}

void BucketHealth::note_answer(std::string_view permission, const Result<void>& outcome) {
  resting_until_.reset();
  const bool was_in_trouble = any_trouble() != nullptr;
  // S3 says of an object in a bucket that is not there what it says of one that is not there.
  const bool tells_nothing = !outcome && trouble_ && trouble_->code == Code::InvalidArgument;
  if (tells_nothing) return;
  trouble_.reset();
  denied_.erase(permission);
  if (!was_in_trouble || any_trouble() != nullptr) return;
  if (is_told_) log_.info(what_ + " is well again");
  is_told_ = false;
  ended_at_ = clock_.steady();
}

void BucketHealth::note_trouble(std::string_view permission, const Error& error) {
  if (is_outage(error)) {
    resting_until_ = clock_.steady() + kRest;
  } else {
    resting_until_.reset();
  }
  if (error.code == Code::Denied) {
    trouble_.reset();  // it answers
    denied_.insert_or_assign(permission, error);
  } else {
    trouble_ = error;
  }
  // What comes and goes with each question would fill the log.
  const bool is_old = ended_at_ && clock_.steady() < *ended_at_ + kQuiet && error.context == told_;
  if (is_told_ || is_old) return;
  log_.warn(what_ + " does not do its work", {{"error", error.context}});
  is_told_ = true;
  told_ = error.context;
}

const Error* BucketHealth::any_trouble() const {
  if (trouble_) return &*trouble_;
  return denied_.empty() ? nullptr : &denied_.begin()->second;
}

std::optional<std::string> BucketHealth::trouble() const {
  const std::lock_guard lock(mutex_);
  const Error* const error = any_trouble();
  if (error == nullptr) return std::nullopt;
  return error->context;
}

}  // namespace fairlead::s3
