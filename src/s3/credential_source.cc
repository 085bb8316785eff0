// SPDX-License-Identifier: Apache-2.0
#include "s3/credential_source.h"

#include <utility>

namespace fairlead::s3 {
namespace {

// How long to wait for another's fetch: longer than one takes.
constexpr std::chrono::seconds kPatience{45};

}  // namespace

// One caller's part in a fetch, for as long as its coroutine lives.
class CredentialSource::Refreshing {
 public:
  // With the lock held.
  explicit Refreshing(CredentialSource& source) : source_(source) { ++source_.refreshing_; }
  ~Refreshing() {
    const std::lock_guard lock(source_.mutex_);
    --source_.refreshing_;
  }
  Refreshing(const Refreshing&) = delete;
  Refreshing& operator=(const Refreshing&) = delete;

 private:
  CredentialSource& source_;
};

CredentialSource::CredentialSource(std::unique_ptr<CredentialFetcher> fetcher, const Clock& clock,
                                   telemetry::Log& log)
    : fetcher_(std::move(fetcher)), clock_(clock), log_(log) {}

SharedCredentials CredentialSource::ready() {
  const std::lock_guard lock(mutex_);
  const State now = state();
  const bool is_enough = now == State::Good || (now == State::Aging && is_pausing());
  return is_enough ? known_ : nullptr;
}

async::Task<Result<SharedCredentials>> CredentialSource::get(CredentialChannel channel) {
  std::optional<Refreshing> part;
  {
    const std::lock_guard lock(mutex_);
    const State now = state();
    if (now == State::Good) co_return known_;
    const bool is_another_at_it = refreshing_ > 0 && !is_refused_;
    if (now == State::Aging && (is_another_at_it || is_pausing())) co_return known_;
    if (now == State::Unusable && failure_ && is_pausing()) co_return std::unexpected(*failure_);
    part.emplace(*this);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  auto fetched = co_await flight_.run([&] { return refresh(channel); }, deadline);
  if (fetched) co_return fetched;
  const std::lock_guard lock(mutex_);
  if (state() != State::Unusable) co_return known_;
  co_return fetched;
}

void CredentialSource::refuse(const SharedCredentials& refused) {
  const std::lock_guard lock(mutex_);
  if (known_ == refused && !is_pausing()) is_refused_ = true;
}

CredentialSource::State CredentialSource::state() const {
  if (!known_) return State::Unusable;
  const bool has_expiry = known_->expiry.has_value();
  const auto left = has_expiry ? *known_->expiry - clock_.wall() : WallTime::duration::max();
  if (left <= kMargin) return State::Unusable;
  return left <= kRefreshBefore || is_refused_ ? State::Aging : State::Good;
}

bool CredentialSource::is_pausing() const {
  return ended_at_ && clock_.steady() < *ended_at_ + kPause;
}

async::Task<Result<SharedCredentials>> CredentialSource::refresh(CredentialChannel channel) {
  {
    // The one before us may have landed between our look and our start.
    const std::lock_guard lock(mutex_);
    const State now = state();
    if (now == State::Good || (now == State::Aging && is_pausing())) co_return known_;
    if (now == State::Unusable && failure_ && is_pausing()) co_return std::unexpected(*failure_);
  }
  auto fetched = co_await fetcher_->fetch(channel);
  co_return take(std::move(fetched));
}

Result<SharedCredentials> CredentialSource::take(Result<S3Credentials> fetched) {
  if (fetched && fetched->expiry && *fetched->expiry <= clock_.wall() + kMargin) {
    fetched = upstream_error(Code::Unavailable, Retry::Yes,
                             "the S3 credentials that were handed out have expired");
  }
  const std::lock_guard lock(mutex_);
  ended_at_ = clock_.steady();
  if (!fetched) {
    failure_ = std::move(fetched.error());
    log_.warn("S3 credentials cannot be fetched",
              {{"error", failure_->context}, {"old_credentials", known_ ? "kept" : "none"}});
    return std::unexpected(*failure_);
  }
  failure_.reset();
  is_refused_ = false;
  known_ = std::make_shared<const S3Credentials>(*std::move(fetched));
  return known_;
}

}  // namespace fairlead::s3
