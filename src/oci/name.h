// SPDX-License-Identifier: Apache-2.0
// The grammar of repository names and tags (OCI distribution-spec 1.1, "Pulling manifests").
#pragma once

#include <cstddef>
#include <string_view>

namespace fairlead::oci {

inline constexpr std::size_t kMaxRepositoryLength = 255;  // as the spec advises and docker enforces
inline constexpr std::size_t kMaxTagLength = 128;

[[nodiscard]] bool is_repository_name(std::string_view text);
[[nodiscard]] bool is_tag(std::string_view text);

}  // namespace fairlead::oci
