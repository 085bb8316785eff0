// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_walk.h"

#include <utility>

#include "s3/cache_keys.h"

namespace fairlead::s3 {

BucketWalk::BucketWalk(BlockingObjects& objects, std::string root, Of what,
                       const std::optional<oci::Digest>& after)
    : objects_(&objects),
      root_(std::move(root)),
      prefix_(what == Of::Blobs ? cache_prefix(root_) : use_prefix(root_)) {
  if (after) after_ = what == Of::Blobs ? cache_key(root_, *after) : use_key(root_, *after);
}

Result<std::optional<ListedContent>> BucketWalk::next() {
  while (position_ == page_.size()) {
    if (is_last_) return std::nullopt;
    if (auto listed = list(); !listed) return std::unexpected(std::move(listed.error()));
  }
  return std::move(page_[position_++]);
}

// By the last key and not by S3's continuation, which nobody promises to hold for the days that a
// round of the scrubber takes.
Result<void> BucketWalk::list() {
  const ListRequest request{.prefix = prefix_, .after = after_, .continuation = continuation_};
  auto listing = objects_->run<Listing>([&](Objects& objects) { return objects.list(request); });
  if (!listing) return std::unexpected(std::move(listing.error()));
  const bool is_empty = listing->objects.empty();
  const bool is_stuck =
      (is_empty && !listing->continuation.empty() && listing->continuation == continuation_) ||
      (!is_empty && listing->objects.front().key <= after_);
  if (is_stuck) {
    return upstream_error(Code::Corrupt, Retry::Yes,
                          "the bucket's list of " + prefix_ + " does not go on");
  }
  if (!listing->continuation.empty()) {
    if (auto goes_on = empty_pages_.note(is_empty); !goes_on) return goes_on;
  }
  page_.clear();
  position_ = 0;
  is_last_ = listing->continuation.empty();
  continuation_.clear();
  if (listing->objects.empty()) continuation_ = std::move(listing->continuation);
  for (auto& object : listing->objects) {
    if (auto digest = digest_of_key(root_, object.key)) {
      page_.push_back({*std::move(digest), object.size, object.modified});
    }
    after_ = std::move(object.key);
  }
  return {};
}

}  // namespace fairlead::s3
