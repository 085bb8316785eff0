// SPDX-License-Identifier: Apache-2.0
// BucketRegistry: a Registry whose content is read from the bucket that it keeps it in.
//
//   manifest by tag or digest, blob   from the bucket; what it does not have, or while it does not
//                                     do its work, from the registry itself, where that has a URL
//   lists                             from the registry; while that does not answer, or there is
//                                     none, tags from the bucket
//   locate_*                          a presigned URL, for what the bucket has in this repository; of
//                                     a manifest with its media type, which is looked up where it is
//                                     not told
//
// Where a blob lies is remembered for kRemembered, so that one redirect after the other costs a
// signature and no question.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "s3/layout.h"
#include "s3/objects.h"
#include "upstream/registry.h"

namespace fairlead::s3 {

struct BucketRegistryOptions {
  std::string name;                                       // of the registry, for errors
  std::chrono::seconds expiry{std::chrono::minutes(20)};  // of presigned URLs
};

// One a worker.
class BucketRegistry final : public upstream::Registry {
 public:
  static constexpr std::chrono::seconds kRemembered{60};
  static constexpr std::size_t kCapacity = 16'384;  // places remembered

  // `behind`: the registry itself; null: there is none. All must outlive it.
  BucketRegistry(BucketRegistryOptions options, std::unique_ptr<Layout> layout,
                 ObjectReader& objects, upstream::Registry* behind, const Clock& clock);
  ~BucketRegistry() override;

  async::Task<Result<upstream::ContentHead>> head_manifest(std::string repository,
                                                           std::string reference,
                                                           std::string accept) override;
  async::Task<Result<upstream::Download>> get_manifest(std::string repository,
                                                       std::string reference,
                                                       std::string accept) override;
  async::Task<Result<upstream::ContentHead>> head_blob(std::string repository,
                                                       oci::Digest digest) override;
  async::Task<Result<upstream::Download>> get_blob(std::string repository, oci::Digest digest,
                                                   std::uint64_t offset,
                                                   std::optional<std::uint64_t> length) override;
  async::Task<Result<upstream::Document>> get_document(std::string repository,
                                                       std::string path_and_query,
                                                       std::string accept,
                                                       std::size_t limit) override;
  async::Task<Result<std::optional<upstream::Location>>> locate_blob(std::string repository,
                                                                     oci::Digest digest) override;
  async::Task<Result<std::optional<upstream::Location>>> locate_manifest(
      std::string repository, oci::Digest digest, std::string media_type) override;
  [[nodiscard]] std::optional<upstream::Quota> quota() const override;

 private:
  // To be filled in by whoever builds it.
};

}  // namespace fairlead::s3
