// SPDX-License-Identifier: Apache-2.0
// BucketWalk: the blobs of a cache's bucket, or the marks of their use, one after another in the
// order of their digests. Holds one page of the listing. Objects of others are passed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "oci/digest.h"
#include "s3/blocking_objects.h"
#include "s3/empty_pages.h"

namespace fairlead::s3 {

// A blob, or a mark.
struct ListedContent {
  oci::Digest digest;
  std::uint64_t size = 0;
  WallTime modified{};
};

// One thread. Blocks.
class BucketWalk {
 public:
  enum class Of { Blobs, Marks };

  // Those behind the digest `after`. `objects` must outlive it.
  BucketWalk(BlockingObjects& objects, std::string root, Of what,
             const std::optional<oci::Digest>& after = std::nullopt);

  // nullopt: that was all. After an error, from where it was. What comes or goes meanwhile is
  // found or not.
  Result<std::optional<ListedContent>> next();

 private:
  Result<void> list();

  BlockingObjects* objects_;
  std::string root_;
  std::string prefix_;
  std::string after_;
  std::string continuation_;  // only behind a page without objects
  std::vector<ListedContent> page_;
  std::size_t position_ = 0;  // in it
  bool is_last_ = false;      // the page
  EmptyPages empty_pages_;
};

}  // namespace fairlead::s3
