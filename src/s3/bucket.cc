// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket.h"

#include <utility>

namespace fairlead::s3 {

Result<std::unique_ptr<Bucket>> Bucket::make(BucketOptions options,
                                             std::unique_ptr<CredentialFetcher> from_environment,
                                             SigningKeys& keys, const Clock& clock,
                                             telemetry::Log& log) {
  auto address = BucketAddress::make(options.endpoint, options.name, options.style);
  if (!address) return std::unexpected(std::move(address.error()).within(options.endpoint));
  auto public_address = address;
  if (!options.public_endpoint.empty()) {
    public_address = BucketAddress::make(options.public_endpoint, options.name, options.style);
  }
  if (!public_address) {
    return std::unexpected(std::move(public_address.error()).within(options.public_endpoint));
  }
  auto fetcher = std::move(from_environment);
  if (options.credentials) {
    if (auto sound = check_credentials(*options.credentials); !sound) {
      return std::unexpected(std::move(sound.error()));
    }
    fetcher = std::make_unique<StaticCredentials>(*options.credentials);
  }
  if (!fetcher) return internal_error(Code::InvalidArgument, "there are no S3 credentials");
  return std::unique_ptr<Bucket>(new Bucket(std::move(options), *std::move(address),
                                            *std::move(public_address), std::move(fetcher), keys,
                                            clock, log));
}

Bucket::Bucket(BucketOptions options, BucketAddress address, BucketAddress public_address,
               std::unique_ptr<CredentialFetcher> fetcher, SigningKeys& keys, const Clock& clock,
               telemetry::Log& log)
    : options_(std::move(options)),
      address_(std::move(address)),
      public_address_(std::move(public_address)),
      keys_(keys),
      clock_(clock),
      log_(log),
      credentials_(std::move(fetcher), clock, log),
      health_("the bucket " + options_.name, clock, log) {}

}  // namespace fairlead::s3
