// SPDX-License-Identifier: Apache-2.0
#include "cache/tag_variant.h"

#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

constexpr std::string_view kCooldown = "cooldown=";

}  // namespace

std::string variant_of(std::string_view accept, std::chrono::milliseconds cooldown) {
  std::string variant;
  if (cooldown.count() > 0)
    variant.append(kCooldown).append(std::to_string(cooldown.count())).append("ms;");
  if (accept != oci::kManifestAccept) variant += accept;
  return variant;
}

bool has_cooldown(std::string_view variant) { return variant.starts_with(kCooldown); }

}  // namespace fairlead::cache
