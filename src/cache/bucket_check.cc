// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_check.h"

#include <string>
#include <string_view>
#include <utility>

namespace fairlead::cache {

Result<void> check_in_bucket(s3::BucketBlobStore& store, const oci::Digest& digest,
                             telemetry::Log& log, const std::stop_token& stop,
                             BucketScrubCounts& counts) {
  oci::Hasher hasher(digest.algorithm());
  std::uint64_t bytes = 0;
  const auto take = [&](const s3::ObjectHead&, ByteView piece) -> Result<void> {
    if (stop.stop_requested()) return internal_error(Code::Cancelled, "the check was stopped");
    hasher.update(piece);
    bytes += piece.size();
    return {};
  };
  const auto found = store.read(digest, take);
  counts.bytes += bytes;
  if (!found) return std::unexpected(Error(found.error()).within(digest.str()));
  if (!*found) return {};  // removed since it was listed
  ++counts.contents;
  const oci::Digest actual = hasher.finish();
  if (actual == digest) return {};
  const std::string why = "the bytes are those of " + actual.str();
  log.error("content in the bucket is damaged; it is removed, the next pull fetches it again",
            {{"content", std::string_view(digest.str())}, {"error", std::string_view(why)}});
  const auto removal = store.remove_damaged(digest, **found);
  if (!removal) return std::unexpected(Error(removal.error()).within(digest.str()));
  if (*removal == store::Removal::Removed) ++counts.damaged;
  return {};
}

}  // namespace fairlead::cache
