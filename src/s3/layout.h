// SPDX-License-Identifier: Apache-2.0
// Layout: how a registry keeps its repositories in a bucket, for reading them there without it.
//
//   distribution   <root>/docker/registry/v2/blobs/sha256/ab/<hex>/data
//                  <root>/docker/registry/v2/repositories/<name>/_layers/sha256/<hex>/link
//                                                               /_manifests/revisions/sha256/<hex>/link
//                                                               /_manifests/tags/<tag>/current/link
//   oci (zot)      <root>/<name>/index.json, <root>/<name>/blobs/sha256/<hex>
//                  <root>/_blobstore/blobs/sha256/<hex>: what repositories share
//
// The attack: a repository is asked for another one's blob. A blob is found only through a
// repository that holds it: by a link, or by lying there. Another: a manifest that names others'
// blobs is pushed as a blob, which no registry checks. As a manifest is found only what the
// registry took for one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"
#include "oci/digest.h"
#include "s3/objects.h"

namespace fairlead::s3 {

enum class LayoutKind { Distribution, Oci };

enum class Held { AsBlob, AsManifest };

// An object with the bytes of a digest.
struct Place {
  std::string key;
  std::uint64_t size = 0;    // bytes
  std::string media_type{};  // of a manifest; empty: the layout does not tell
};

// What a tag means.
struct Tagged {
  oci::Digest digest;
  std::string media_type;  // empty: the layout does not tell
};

// One a worker and bucket: it remembers where deduplicated blobs are. NotFound: the repository does
// not hold it (that way), as far as the bucket tells; Corrupt: the bucket holds nonsense there.
class Layout {
 public:
  virtual ~Layout() = default;

  virtual async::Task<Result<Tagged>> resolve(std::string repository, std::string tag) = 0;

  // `held`: a manifest may also be asked for as a blob, a blob not as a manifest.
  virtual async::Task<Result<Place>> find(std::string repository, oci::Digest digest,
                                          Held held) = 0;

  // What lies where all repositories share it and nothing tells whose it is: only for one that is
  // known to hold it in another way.
  virtual async::Task<Result<Place>> find_shared(oci::Digest /*digest*/) {
    co_return upstream_error(Code::NotFound, Retry::No, "its repositories share nothing");
  }

  // It was changed: what is remembered of it is to be asked for anew.
  virtual void forget(const std::string& /*repository*/) {}

  // All tags, sorted. NotFound: no such repository.
  virtual async::Task<Result<std::vector<std::string>>> tags(std::string repository) = 0;
};

// `objects` and `clock` must outlive it. `root` as BucketOptions has it.
std::unique_ptr<Layout> make_layout(LayoutKind kind, ObjectReader& objects, std::string root,
                                    const Clock& clock);

}  // namespace fairlead::s3
