// SPDX-License-Identifier: Apache-2.0
// Fetcher: content by digest: hit, join or fill.
//
//   hit   it is in the store, and this repository is known to hold it
//   join  a fill of it is under way
//   fill  this call begins one: from the cache's bucket (cache.s3) if that has it, else from the
//         upstream
//
// Authority comes before content: what is stored, or being filled for somebody else, is given
// only to a caller whose own repository is known to hold it (a link); else the upstream is asked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "cache/content.h"
#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "upstream/registry.h"

namespace fairlead::cache {

// One a worker: its tasks run there.
class Fetcher {
 public:
  explicit Fetcher(Services& services) : services_(services) {}

  // The content of `digest` as `source` holds it. A manifest is verified in full when this
  // returns; a blob may still be on its way.
  async::Task<Result<Content>> fetch(Source source, oci::Digest digest);

  // Where a client may get it from the cache's bucket; nullopt: nowhere, or not for this source.
  async::Task<Result<std::optional<upstream::Location>>> locate(Source source, oci::Digest digest);

  // What is known of it, without its bytes: from the store and the index, else by HEAD.
  async::Task<Result<upstream::ContentHead>> describe(Source source, oci::Digest digest);

  // The same by HEAD, and only where the upstream does not answer what is known. For who wants to
  // know whether to push it: what the registry has lost meanwhile must be pushed again.
  async::Task<Result<upstream::ContentHead>> describe_anew(Source source, oci::Digest digest);

 private:
  async::Task<Result<std::optional<Content>>> stored(const Source& source,
                                                     const oci::Digest& digest);
  async::Task<std::optional<InBucket>> find_in_bucket(Source source, oci::Digest digest);
  async::Task<Result<void>> confirm_link(const Source& source, const oci::Digest& digest);
  async::Task<Result<upstream::ContentHead>> ask(const Source& source, const oci::Digest& digest);
  async::Task<std::optional<store::BlobFile>> open_stored(oci::Digest digest);
  async::Task<> repair(oci::Digest digest, std::optional<store::BlobFile> found);
  [[nodiscard]] bool may_share(const Fill& fill, const Source& source) const;
  [[nodiscard]] bool is_known(const Source& source, const oci::Digest& digest) const;
  void note_use(const oci::Digest& digest);

  Services& services_;
};

}  // namespace fairlead::cache
