// SPDX-License-Identifier: Apache-2.0
// The buckets of a configuration, as all workers share them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "cache/bucket_keeper.h"
#include "config/config.h"
#include "gateway/readiness.h"
#include "s3/blocking_objects.h"
#include "s3/bucket.h"
#include "s3/bucket_blob_store.h"
#include "s3/changed_repositories.h"
#include "s3/signing_keys.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::app {

struct Buckets {
  s3::SigningKeys keys;
  std::map<std::string, std::unique_ptr<s3::Bucket>, std::less<>> of_registries;  // by their names
  std::map<std::string, s3::ChangedRepositories, std::less<>> changed;            // the same
  std::unique_ptr<s3::Bucket> of_cache;  // null: there is no cache.s3
};

// Asks no bucket. `clock` and `log` must outlive them.
Result<std::unique_ptr<Buckets>> open_buckets(const config::Config& config, const Clock& clock,
                                              telemetry::Log& log);

// What /ready says of them, which must outlive it.
gateway::Readiness readiness_of(const Buckets& buckets);

// What is done for the cache's bucket in the background, and by what.
class BucketCare {
 public:
  // All must outlive it.
  BucketCare(const config::Config& config, s3::Bucket& bucket, store::BlobStore& disk,
             const index::Index& index, cache::Bookkeeper& bookkeeper, const Clock& clock,
             telemetry::Log& log);

  [[nodiscard]] cache::BucketKeeper& keeper() { return keeper_; }

  // Its tasks, and what they wait for, end soon.
  void stop();

 private:
  s3::BlockingObjects objects_;
  s3::BucketBlobStore store_;
  cache::BucketKeeper keeper_;
};

}  // namespace fairlead::app
