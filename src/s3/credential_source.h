// SPDX-License-Identifier: Apache-2.0
// CredentialSource: the credentials of one bucket as they are now, fetched once for all workers.
//
//   fetched ...... kRefreshBefore ahead of expiry ........ kMargin ahead of it
//   used as they are  |  used, while one caller refreshes  |  all wait for new ones
//
// A failure is remembered for kPause: who comes meanwhile gets the old credentials while they are
// good, else the same error at once.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"
#include "s3/credential_fetcher.h"
#include "s3/credentials.h"
#include "telemetry/log.h"
#include "upstream/single_flight.h"

namespace fairlead::s3 {

using SharedCredentials = std::shared_ptr<const S3Credentials>;

// Thread-safe, shared by all workers. Must outlive its callers.
class CredentialSource {
 public:
  static constexpr std::chrono::minutes kRefreshBefore{5};
  static constexpr std::chrono::seconds kMargin{30};  // a request must arrive with them
  static constexpr std::chrono::seconds kPause{5};

  // `clock` and `log` must outlive it.
  CredentialSource(std::unique_ptr<CredentialFetcher> fetcher, const Clock& clock,
                   telemetry::Log& log);

  // Those that can be used without waiting, and need no refresh; else nullptr: get() them.
  [[nodiscard]] SharedCredentials ready();

  // Never nullptr. `channel` is of the caller's worker. Errors: those of the fetcher, and
  // Unavailable when what it hands out has expired.
  async::Task<Result<SharedCredentials>> get(CredentialChannel channel);

  // S3 did not accept `refused`: the next get() fetches anew, once every kPause at most; who comes
  // meanwhile waits for it.
  void refuse(const SharedCredentials& refused);

 private:
  class Refreshing;
  enum class State { Good, Aging, Unusable };

  State state() const;  // with mutex_ held
  bool is_pausing() const;
  async::Task<Result<SharedCredentials>> refresh(CredentialChannel channel);
  Result<SharedCredentials> take(Result<S3Credentials> fetched);

  const std::unique_ptr<CredentialFetcher> fetcher_;
  const Clock& clock_;
  telemetry::Log& log_;
  upstream::SingleFlight<SharedCredentials> flight_;

  std::mutex mutex_;  // all below
  SharedCredentials known_;
  bool is_refused_ = false;             // known_ by S3
  std::optional<Error> failure_;        // of the last fetch
  std::optional<SteadyTime> ended_at_;  // of the last fetch
  int refreshing_ = 0;                  // callers that refresh, or wait for who does
};

}  // namespace fairlead::s3
