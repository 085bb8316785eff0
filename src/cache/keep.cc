// SPDX-License-Identifier: Apache-2.0
#include "cache/keep.h"

#include <tuple>
#include <utility>

#include "cache/knowledge.h"

namespace fairlead::cache {

Result<void> keep_ingest(Services& services, const Source& source, Verified content,
                         store::Ingest& ingest) {
  if (auto committed = ingest.commit(); !committed) return committed;
  services.index.add_stored(content.digest, std::move(content.media_type), content.size,
                            std::move(content.names), services.clock.wall());
  // Known before, but an eviction of the same content may just have taken the link with it.
  learn_link(services, source, content.digest);
  services.space.grew();
  if (services.bucket != nullptr) services.bucket->offer(content.digest);
  // An index that cannot be written says so itself; what is stored is good all the same.
  std::ignore = services.index.flush();
  return {};
}

void report_not_stored(Services& services, const oci::Digest& digest, std::string_view name,
                       std::uint64_t size, const Error& error) {
  SizeLimit& limit = services.space.limit();
  if (error.code == Code::NoSpace && limit.is_exceeded_by(size)) {
    // Nothing is wrong, and no room would help.
    if (!limit.is_news(digest)) return;
    services.log.info("larger than cache.max_size; passed through uncached",
                      {{"content", name},
                       {"bytes", static_cast<std::int64_t>(size)},
                       {"max_size", static_cast<std::int64_t>(limit.bytes())}});
    return;
  }
  if (error.code == Code::NoSpace) services.space.is_full(size);
  services.log.warn("cannot store content; pulls go on without the cache",
                    {{"content", name}, {"error", error.context}});
}

bool keep_manifest(Services& services, const Source& source, Verified content,
                   std::string_view text) {
  const auto keep = [&]() -> Result<void> {
    auto ingest = services.store.begin(content.digest, text.size());
    if (!ingest) return std::unexpected(std::move(ingest.error()));
    if (auto written = (*ingest)->write(as_byte_view(text)); !written) return written;
    return keep_ingest(services, source, content, **ingest);
  };
  const auto kept = keep();
  if (!kept) {
    report_not_stored(services, content.digest, content.digest.str(), text.size(), kept.error());
  }
  return kept.has_value();
}

}  // namespace fairlead::cache
