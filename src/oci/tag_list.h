// SPDX-License-Identifier: Apache-2.0
// The tags list of a repository (OCI distribution-spec 1.1, "Listing tags").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::oci {

// An upstream's list with the repository called `name`; nullopt when `body` is not such a list.
std::optional<std::string> rename_tag_list(std::string_view body, std::string_view name);

}  // namespace fairlead::oci
