// SPDX-License-Identifier: Apache-2.0
// Bucket: what all workers share of one bucket: where it is, its credentials, whether it is well.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "s3/bucket_address.h"
#include "s3/bucket_health.h"
#include "s3/bucket_options.h"
#include "s3/credential_source.h"
#include "s3/signing_keys.h"
#include "telemetry/log.h"

namespace fairlead::s3 {

// Thread-safe.
class Bucket {
 public:
  // InvalidArgument: the address (bucket_address.h). Without credentials in `options` they come
  // from `from_environment`. `keys`, `clock` and `log` must outlive it.
  static Result<std::unique_ptr<Bucket>> make(BucketOptions options,
                                              std::unique_ptr<CredentialFetcher> from_environment,
                                              SigningKeys& keys, const Clock& clock,
                                              telemetry::Log& log);

  [[nodiscard]] const BucketOptions& options() const { return options_; }
  [[nodiscard]] const BucketAddress& address() const { return address_; }                // for us
  [[nodiscard]] const BucketAddress& public_address() const { return public_address_; }  // for URLs
  [[nodiscard]] CredentialSource& credentials() { return credentials_; }
  [[nodiscard]] BucketHealth& health() { return health_; }
  [[nodiscard]] SigningKeys& keys() { return keys_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] telemetry::Log& log() { return log_; }

 private:
  Bucket(BucketOptions options, BucketAddress address, BucketAddress public_address,
         std::unique_ptr<CredentialFetcher> fetcher, SigningKeys& keys, const Clock& clock,
         telemetry::Log& log);

  const BucketOptions options_;
  const BucketAddress address_;
  const BucketAddress public_address_;
  SigningKeys& keys_;
  const Clock& clock_;
  telemetry::Log& log_;
  CredentialSource credentials_;
  BucketHealth health_;
};

}  // namespace fairlead::s3
