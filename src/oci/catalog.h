// SPDX-License-Identifier: Apache-2.0
// The names of a registry's repositories, in pages (`GET /v2/_catalog`, distribution's "Listing
// Repositories"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::oci {

// The valid names of one page, in its order; nullopt when `body` is no such page.
std::optional<std::vector<std::string>> parse_catalog(std::string_view body);

std::string write_catalog(const std::vector<std::string>& names);

}  // namespace fairlead::oci
