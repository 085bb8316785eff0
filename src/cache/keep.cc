// SPDX-License-Identifier: Apache-2.0
#include "cache/keep.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

// What a manifest names, so that its use is one of theirs. A document that does not parse names
// nothing: clients may have it as the registry has it, all the same.
std::vector<oci::Digest> names_in(std::string_view text) {
  std::vector<oci::Digest> names;
  auto manifest = oci::parse_manifest(text);
  if (!manifest) return names;
  names.reserve(manifest->manifests.size() + manifest->blobs.size());
  for (auto* descriptors : {&manifest->manifests, &manifest->blobs}) {
    for (oci::Descriptor& descriptor : *descriptors) names.push_back(std::move(descriptor.digest));
  }
  return names;
}

std::string read_whole(int file, std::uint64_t size) {
  std::string text(size, '\0');
  std::uint64_t at = 0;
  while (at < size) {
    const ssize_t n = ::pread(file, text.data() + at, size - at, static_cast<off_t>(at));
    if (n <= 0) return {};
    at += static_cast<std::uint64_t>(n);
  }
  return text;
}

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

Result<void> keep_ingest(Services& services, const oci::Digest& digest, ContentKind kind,
                         const std::string& media_type, std::uint64_t size, store::Ingest& ingest) {
  if (kind == ContentKind::Blob) return publish(services, digest, {}, size, {}, ingest);
  return publish(services, digest, media_type, size, names_in(read_whole(ingest.fd(), size)),
                 ingest);
}

bool keep_manifest(Services& services, const oci::Digest& digest, const std::string& media_type,
                   std::string_view text) {
  const auto keep = [&]() -> Result<void> {
    auto ingest = services.store.begin(digest, text.size());
    if (!ingest) return std::unexpected(std::move(ingest.error()));
    if (auto written = (*ingest)->write(as_byte_view(text)); !written) return written;
    return publish(services, digest, media_type, text.size(), names_in(text), **ingest);
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
