// SPDX-License-Identifier: Apache-2.0
// JwksSource: the keys that one issuer publishes at a URL, got when a token needs them.
//
// Nothing is fetched before the first token. They are fetched again, in the task of a caller, when
// they are kMaxAge old, or when a token names a key that is not among them: issuers change keys
// whenever they like. Both at most once every kPause, for tokens with invented key ids cost nothing
// to make. When that fails the old keys serve on, up to kMaxStale.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "async/task.h"
#include "auth/jwk_signature.h"
#include "auth/jwt.h"
#include "auth/key_fetcher.h"
#include "base/clock.h"
#include "base/error.h"
#include "telemetry/log.h"
#include "upstream/single_flight.h"

namespace fairlead::auth {

using KeySet = std::shared_ptr<const std::vector<SignatureKey>>;

// Thread-safe, shared by all workers. Must outlive its callers.
class JwksSource {
 public:
  static constexpr std::chrono::minutes kMaxAge{10};
  static constexpr std::chrono::hours kMaxStale{24};
  static constexpr std::chrono::seconds kPause{30};
  static constexpr std::chrono::seconds kFirstPause{5};  // while there are no keys at all

  // `rsa_algorithm`: of RSA keys that do not say theirs. `clock` and `log`
  // must outlive it.
  JwksSource(std::string url, std::optional<JwtAlgorithm> rsa_algorithm, const Clock& clock,
             telemetry::Log& log);

  // The keys as they are known now; whether one of them fits `header` is for the caller to see.
  // Many callers share one fetch. Errors: those of `fetcher`, and Corrupt or TooLarge of the
  // document; only when there are no keys to use.
  async::Task<Result<KeySet>> keys(JwtHeader header, KeyFetcher& fetcher);

 private:
  class Wait;

  // nullptr: nothing to wait for, what is known has to do.
  std::unique_ptr<Wait> begin_or_join(const JwtHeader& header);
  async::Task<Result<std::monostate>> refresh(std::uint64_t seen, KeyFetcher& fetcher);
  Result<std::monostate> take(Result<std::string> document, SteadyTime asked_at);
  Result<KeySet> known();

  const std::string url_;
  const std::optional<JwtAlgorithm> rsa_algorithm_;
  const Clock& clock_;
  telemetry::Log& log_;
  upstream::SingleFlight<std::monostate> flight_;

  std::mutex mutex_;  // all below
  KeySet keys_;       // nullptr: never got
  SteadyTime got_at_{};
  std::optional<SteadyTime> tried_at_;  // the last time that a fetch began
  std::optional<Error> failure_;        // of the last fetch
  std::uint64_t generation_ = 0;        // fetches that have ended
  std::uint64_t begun_ = 0;             // generation_ that the fetch in flight will end
  int waiting_ = 0;                     // callers that make this fetch, or wait for who does
};

}  // namespace fairlead::auth
