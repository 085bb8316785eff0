// SPDX-License-Identifier: Apache-2.0
#include "auth/jwks_source.h"

#include <algorithm>
#include <utility>

#include "auth/jwks.h"

namespace fairlead::auth {
namespace {

// How long to wait for another's fetch: longer than one takes.
constexpr std::chrono::seconds kPatience{30};

Result<KeySet> read_keys(std::string_view document, std::optional<JwtAlgorithm> rsa_algorithm) {
  const auto keys = parse_jwks(document, rsa_algorithm);
  if (!keys) return std::unexpected(keys.error());
  auto read = std::make_shared<std::vector<SignatureKey>>();
  for (const JwtKey& key : *keys) {
    if (auto signature_key = SignatureKey::read(key)) read->push_back(*std::move(signature_key));
  }
  return read;
}

}  // namespace

// One caller's part in a fetch, for as long as its coroutine lives.
class JwksSource::Wait {
 public:
  // With the lock held.
  explicit Wait(JwksSource& source) : seen(source.generation_), source_(source) {
    ++source_.waiting_;
  }
  ~Wait() {
    const std::lock_guard lock(source_.mutex_);
    // All who wanted the fetch went away before it ended: it does not count. The attack: send
    // tokens with invented key ids and hang up, so that nobody gets the new keys.
    if (--source_.waiting_ == 0 && source_.begun_ == source_.generation_) source_.tried_at_.reset();
  }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  const std::uint64_t seen;  // generation_ when it began

 private:
  JwksSource& source_;
};

JwksSource::JwksSource(std::string url, std::optional<JwtAlgorithm> rsa_algorithm,
                       const Clock& clock, telemetry::Log& log)
    : url_(std::move(url)), rsa_algorithm_(rsa_algorithm), clock_(clock), log_(log) {}

async::Task<Result<KeySet>> JwksSource::keys(JwtHeader header, KeyFetcher& fetcher) {
  const auto wait = begin_or_join(header);
  if (!wait) co_return known();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  auto refreshed = co_await flight_.run([&] { return refresh(wait->seen, fetcher); }, deadline);
  auto keys = known();
  if (!keys && !refreshed) co_return std::unexpected(std::move(refreshed.error()));
  co_return keys;
}

std::unique_ptr<JwksSource::Wait> JwksSource::begin_or_join(const JwtHeader& header) {
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  const bool has_keys = keys_ && now - got_at_ < kMaxStale;
  const bool needs_keys = !has_keys || std::ranges::none_of(*keys_, [&](const SignatureKey& key) {
    return header.fits(key);
  });
  const bool is_old = has_keys && now - got_at_ >= kMaxAge;
  // Who only finds the keys old does not wait for another's fetch: they are good.
  const bool is_in_flight = waiting_ > 0 && begun_ == generation_;
  if (is_in_flight) return needs_keys ? std::make_unique<Wait>(*this) : nullptr;
  const bool may_begin = !tried_at_ || now - *tried_at_ >= (has_keys ? kPause : kFirstPause);
  if (!may_begin || !(needs_keys || is_old)) return nullptr;
  tried_at_ = now;
  begun_ = generation_;
  return std::make_unique<Wait>(*this);
}

async::Task<Result<std::monostate>> JwksSource::refresh(std::uint64_t seen, KeyFetcher& fetcher) {
  {
    // The one before us may have landed between our look and our start.
    const std::lock_guard lock(mutex_);
    if (generation_ != seen) {
      if (failure_) co_return std::unexpected(*failure_);
      co_return std::monostate();
    }
  }
  const SteadyTime asked_at = clock_.steady();
  auto document = co_await fetcher.fetch(url_);
  co_return take(std::move(document), asked_at);
}

Result<std::monostate> JwksSource::take(Result<std::string> document, SteadyTime asked_at) {
  auto keys = document ? read_keys(*document, rsa_algorithm_)
                       : Result<KeySet>(std::unexpected(std::move(document.error())));
  const std::lock_guard lock(mutex_);
  ++generation_;
  if (!keys) {
    failure_ = std::move(keys.error());
    log_.warn("the keys of a token issuer cannot be fetched",
              {{"url", url_}, {"error", failure_->context}, {"old_keys", keys_ ? "kept" : "none"}});
    return std::unexpected(*failure_);
  }
  failure_.reset();
  keys_ = *std::move(keys);
  got_at_ = asked_at;
  return std::monostate();
}

Result<KeySet> JwksSource::known() {
  const std::lock_guard lock(mutex_);
  if (keys_ && clock_.steady() - got_at_ < kMaxStale) return keys_;
  if (failure_) return std::unexpected(*failure_);
  return upstream_error(Code::Unavailable, Retry::Yes, "the token issuer's keys are not known yet");
}

}  // namespace fairlead::auth
