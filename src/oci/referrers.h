// SPDX-License-Identifier: Apache-2.0
// The list of a manifest's referrers: an image index (OCI distribution-spec 1.1, "Listing
// Referrers"). Pure; what does not parse gives nullopt.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::oci {

// `known` with the descriptors of `page` added, one a digest; an empty `known` is an empty list.
std::optional<std::string> merge_referrers(std::string_view known, std::string_view page);

// Those of one artifact type; all where it is empty.
std::optional<std::string> filter_referrers(std::string_view list, std::string_view artifact_type);

}  // namespace fairlead::oci
