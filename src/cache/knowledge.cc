// SPDX-License-Identifier: Apache-2.0
#include "cache/knowledge.h"

#include <utility>

namespace fairlead::cache {

void learn_link(Services& services, const Source& source, const oci::Digest& digest) {
  RecentChanges& recent = services.checks.recent();
  recent.unless_changed(holding_of(source, digest), source.asked.value_or(recent.count()), [&] {
    services.index.add_link(source.registry_name, source.repository, digest);
  });
}

std::optional<std::uint64_t> learn_push(Services& services, const Source& source,
                                        const oci::Digest& digest) {
  const std::string holding = holding_of(source, digest);
  return services.checks.recent().at_once(
      [&](RecentChanges::Held held) -> std::optional<std::uint64_t> {
        if (source.asked && held.has_changed(holding, *source.asked)) return std::nullopt;
        services.index.add_link(source.registry_name, source.repository, digest);
        return held.change(holding);
      });
}

void learn_content(Services& services, const Source& source, const oci::Digest& digest,
                   std::uint64_t size, std::string media_type) {
  learn_link(services, source, digest);
  if (source.kind == ContentKind::Manifest && !media_type.empty()) {
    services.index.describe(digest, std::move(media_type), size);
  }
}

}  // namespace fairlead::cache
