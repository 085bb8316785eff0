// SPDX-License-Identifier: Apache-2.0
#include "cache/tag_variant.h"

#include "oci/manifest.h"

namespace fairlead::cache {

std::string variant_of(std::string_view accept, std::chrono::milliseconds cooldown) {
  std::string variant;
  if (cooldown.count() > 0) variant = "cooldown=" + std::to_string(cooldown.count()) + "ms;";
  if (accept != oci::kManifestAccept) variant += accept;
  return variant;
}

}  // namespace fairlead::cache
