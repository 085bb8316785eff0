// SPDX-License-Identifier: Apache-2.0
// BucketRegistry: a Registry whose content is read from the bucket that it keeps it in.
//
//   manifest by tag or digest, blob   from the bucket; what it does not have, or while it does not
//                                     do its work, from the registry itself, where that has a URL
//   changes, names of repositories    the registry's alone; what is remembered of a repository is
//                                     forgotten when it is changed: by this instance, by the others
//                                     in its time
//   lists                             from the registry; while that does not answer, or there is
//                                     none, tags from the bucket
//   locate_*                          a presigned URL, for what the bucket has in this repository;
//   of
//                                     a manifest with its media type, looked up where it is not
//                                     told; none for all else, whatever the reason
//
// "Not found" needs both: where the registry has not got it and the bucket did not answer, the
// answer is Unavailable.
//
// Where a blob lies is remembered for kRemembered, so that one redirect after the other costs a
// signature and no question.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "s3/bucket_content.h"
#include "s3/changed_repositories.h"
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
  static constexpr std::chrono::seconds kRemembered = BucketContent::kRemembered;
  static constexpr std::size_t kCapacity = BucketContent::kCapacity;

  // `behind`: the registry itself; null: there is none. `changed`: of all workers. All must outlive
  // it.
  BucketRegistry(BucketRegistryOptions options, std::unique_ptr<Layout> layout,
                 ObjectReader& objects, upstream::Registry* behind, ChangedRepositories& changed,
                 const Clock& clock);
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
  async::Task<Result<upstream::Document>> list_repositories(std::string query,
                                                            std::size_t limit) override;
  async::Task<Result<std::optional<upstream::Location>>> locate_blob(std::string repository,
                                                                     oci::Digest digest) override;
  async::Task<Result<std::optional<upstream::Location>>> locate_manifest(
      std::string repository, oci::Digest digest, std::string media_type) override;
  async::Task<Result<upstream::ChangeAnswer>> change(upstream::Change change) override;
  [[nodiscard]] std::optional<upstream::Quota> quota() const override;

 private:
  // What is in the bucket, with nothing remembered of what was changed meanwhile.
  BucketContent& bucket();

  // What the bucket answered, or else what the registry does when `ask_behind` asks it.
  template <class T, class AskBehind>
  async::Task<Result<T>> or_behind(Result<T> ours, AskBehind ask_behind);

  // Where a blob is that nothing in the bucket says the repository has, and that the registry does.
  async::Task<Result<Place>> confirmed_place(std::string repository, oci::Digest digest);
  async::Task<std::optional<upstream::Location>> locate(Result<Place> place,
                                                        std::string media_type);

  const BucketRegistryOptions options_;
  BucketContent bucket_content_;
  upstream::Registry* const behind_;
  ChangedRepositories& changed_;
  ChangedRepositories::Position seen_ = 0;
};

}  // namespace fairlead::s3
