// SPDX-License-Identifier: Apache-2.0
#include "app/buckets.h"

#include <chrono>
#include <utility>

#include "s3/credential_fetcher.h"

namespace fairlead::app {
namespace {

using std::chrono::seconds;

Result<std::unique_ptr<s3::Bucket>> open_bucket(const s3::BucketOptions& options,
                                                const s3::Environment& environment,
                                                s3::SigningKeys& keys, const Clock& clock,
                                                telemetry::Log& log) {
  std::unique_ptr<s3::CredentialFetcher> fetcher;
  if (!options.credentials) {
    auto found = s3::fetcher_from_environment(environment, options.region);
    if (!found) {
      return std::unexpected(std::move(found.error())
                                 .within("bucket " + options.name +
                                         " has no access_key, and the environment tells of none"));
    }
    fetcher = *std::move(found);
  }
  return s3::Bucket::make(options, std::move(fetcher), keys, clock, log);
}

}  // namespace

Result<std::unique_ptr<Buckets>> open_buckets(const config::Config& config, const Clock& clock,
                                              telemetry::Log& log) {
  const s3::Environment environment = config::process_surroundings().environment;
  auto buckets = std::make_unique<Buckets>();
  for (const auto& [registry, options] : config.buckets) {
    auto bucket = open_bucket(options.bucket, environment, buckets->keys, clock, log);
    if (!bucket) return std::unexpected(std::move(bucket.error()));
    buckets->of_registries.emplace(registry, *std::move(bucket));
    buckets->changed.try_emplace(registry);
  }
  if (config.cache_bucket) {
    auto bucket = open_bucket(config.cache_bucket->bucket, environment, buckets->keys, clock, log);
    if (!bucket) return std::unexpected(std::move(bucket.error()));
    buckets->of_cache = *std::move(bucket);
  }
  return buckets;
}

gateway::Readiness readiness_of(const Buckets& buckets) {
  gateway::Readiness readiness;
  for (const auto& [registry, bucket] : buckets.of_registries) {
    readiness.add("registry " + registry, bucket->health());
  }
  if (buckets.of_cache) {
    readiness.add("cache", buckets.of_cache->health());
  }
  return readiness;
}

BucketCare::BucketCare(const config::Config& config, s3::Bucket& bucket, store::BlobStore& disk,
                       const index::Index& index, cache::Bookkeeper& bookkeeper, const Clock& clock,
                       telemetry::Log& log)
    : objects_(bucket),
      store_(objects_, {.root = bucket.options().root, .directory = config.cache.directory}),
      keeper_({.limits = {.max_bytes = config.cache_bucket->max_size,
                          .max_age = std::chrono::ceil<seconds>(config.cache_bucket->max_age)},
               .scrub = std::chrono::ceil<seconds>(config.cache_bucket->scrub),
               .presign_expiry = config.cache_bucket->presign_expiry},
              store_, disk, index, bookkeeper, clock, log) {}

void BucketCare::stop() {
  keeper_.stop();
  objects_.close();
}

}  // namespace fairlead::app
