// SPDX-License-Identifier: Apache-2.0
// BucketSource: the cache's bucket (cache.s3), as the requests of one worker use it: what is there,
// its bytes, and where a client may get them.
//
// It knows of digests alone. Whether a caller may have what is there is for others to find out
// first: cache/fetcher.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"
#include "cache/bucket_memory.h"
#include "oci/digest.h"
#include "s3/objects.h"
#include "upstream/registry.h"

namespace fairlead::cache {

struct BucketSourceOptions {
  std::function<void(const oci::Digest&)> on_damage;      // see doubt(); any thread
  std::string root;                                       // of the bucket's keys
  std::chrono::seconds expiry{std::chrono::minutes(20)};  // of presigned URLs
};

// One a worker.
class BucketSource {
 public:
  // All must outlive it.
  BucketSource(BucketSourceOptions options, s3::ObjectReader& objects, BucketMemory& memory,
               const Clock& clock);
  ~BucketSource();

  // nullopt: it is not there, or the bucket does not say. What is remembered counts only while the
  // bucket is well: nobody is sent to one that does not answer.
  async::Task<std::optional<InBucket>> find(oci::Digest digest);

  async::Task<Result<upstream::Location>> locate(oci::Digest digest, std::string media_type);

  // What came from there was not what its digest says. From any thread.
  void doubt(const oci::Digest& digest) const {
    if (options_.on_damage) options_.on_damage(digest);
  }

  // The bytes, in whatever repository they are asked for.
  [[nodiscard]] upstream::Registry& content() { return *content_; }

 private:
  class Content;

  const BucketSourceOptions options_;
  s3::ObjectReader& objects_;
  BucketMemory& memory_;
  const Clock& clock_;
  std::unique_ptr<upstream::Registry> content_;
};

}  // namespace fairlead::cache
