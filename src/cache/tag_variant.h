// SPDX-License-Identifier: Apache-2.0
// The variant of a tag: registries may answer one tag with different manifests, depending on what
// the client accepts, and a route with a cooldown may still mean what others no longer do.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace fairlead::cache {

// Empty for a client that accepts all of the usual types (docker, containerd, podman, skopeo) on a
// route without a cooldown. `accept` is one of the few values that oci::manifest_accept gives.
std::string variant_of(std::string_view accept, std::chrono::milliseconds cooldown);

// Whether it is one of a route with a cooldown.
[[nodiscard]] bool has_cooldown(std::string_view variant);

}  // namespace fairlead::cache
