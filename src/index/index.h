// SPDX-License-Identifier: Apache-2.0
// Index: what is known about content besides its bytes.
//
//   content  digest -> media type and size, as a registry once gave them
//   links    (registry, repository, digest): this repository is known to hold this content
//
// A link is the permission to serve stored content through a repository. The attack it stops:
// asking a public repository for the digest of a private layer that somebody else pulled.
// Forgetting an entry is harmless: the upstream is asked again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci/digest.h"

namespace fairlead::index {

struct ContentInfo {
  std::string media_type;  // of a manifest; empty for a blob
  std::uint64_t size = 0;  // bytes
};

// Thread-safe. Calls do not block for longer than a map lookup.
class Index {
 public:
  virtual ~Index() = default;

  [[nodiscard]] virtual bool has_link(std::string_view registry, std::string_view repository,
                                      const oci::Digest& digest) const = 0;
  virtual void add_link(std::string_view registry, std::string_view repository,
                        const oci::Digest& digest) = 0;

  [[nodiscard]] virtual std::optional<ContentInfo> content(const oci::Digest& digest) const = 0;
  virtual void put_content(const oci::Digest& digest, ContentInfo info) = 0;
};

}  // namespace fairlead::index
