// SPDX-License-Identifier: Apache-2.0
#include "cache/keep.h"

#include <utility>
#include <vector>

namespace fairlead::cache {
namespace {

Result<void> publish(Services& services, const oci::Digest& digest, const std::string& media_type,
                     std::uint64_t size, std::vector<oci::Digest> names, store::Ingest& ingest) {
  if (auto committed = ingest.commit(); !committed) return committed;
  services.index.add_stored(digest, media_type, size, std::move(names), services.clock.wall());
  services.space.grew();
  // An index that cannot be written says so itself; what is stored is good all the same.
  (void)services.index.flush();
  return {};
}

}  // namespace

Result<void> keep_ingest(Services& services, const oci::Digest& digest,
                         const std::string& media_type, std::uint64_t size,
                         const ManifestNames& names, store::Ingest& ingest) {
  return publish(services, digest, media_type, size, names.all(), ingest);
}

bool keep_manifest(Services& services, const oci::Digest& digest, const std::string& media_type,
                   std::string_view text, const ManifestNames& names) {
  const auto keep = [&]() -> Result<void> {
    auto ingest = services.store.begin(digest, text.size());
    if (!ingest) return std::unexpected(std::move(ingest.error()));
    if (auto written = (*ingest)->write(as_byte_view(text)); !written) return written;
    return publish(services, digest, media_type, text.size(), names.all(), **ingest);
  };
  const auto kept = keep();
  if (!kept) {
    if (kept.error().code == Code::NoSpace) services.space.is_full(text.size());
    services.log.warn("cannot store content; pulls go on without the cache",
                      {{"content", digest.str()}, {"error", kept.error().context}});
  }
  return kept.has_value();
}

}  // namespace fairlead::cache
