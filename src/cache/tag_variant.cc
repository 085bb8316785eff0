// SPDX-License-Identifier: Apache-2.0
#include "cache/tag_variant.h"

#include <algorithm>
#include <array>

#include "oci/media_type.h"

namespace fairlead::cache {

std::string variant_of(std::string_view accept, bool has_cooldown) {
  constexpr std::array kUsual{oci::kOciIndex, oci::kOciManifest, oci::kDockerList,
                              oci::kDockerManifest};
  const bool has_usual = std::ranges::all_of(
      kUsual, [&](std::string_view type) { return accept.find(type) != std::string_view::npos; });
  std::string variant(has_cooldown ? "cooldown;" : "");
  if (!has_usual) variant += accept;
  return variant;
}

}  // namespace fairlead::cache
