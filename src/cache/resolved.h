// SPDX-License-Identifier: Apache-2.0
// Resolved: what a tag means now, and how that is known.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cache/freshness.h"
#include "oci/digest.h"

namespace fairlead::cache {

struct Resolved {
  oci::Digest digest;
  std::string media_type;
  std::optional<std::uint64_t> size;  // bytes of the manifest
  std::string etag{};                 // the upstream's; empty: none
  Freshness freshness = Freshness::Checked;
  std::string notice;  // of Held, and of Stale where it is known: why

  // The manifest, where only its bytes told the digest.
  std::shared_ptr<const std::string> text;
};

}  // namespace fairlead::cache
