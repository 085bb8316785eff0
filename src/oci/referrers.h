// SPDX-License-Identifier: Apache-2.0
// The list of a manifest's referrers: an image index (OCI distribution-spec 1.1, "Listing
// Referrers"). Pure; what does not parse gives nullopt.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "oci/digest.h"

namespace fairlead::oci {

inline constexpr std::size_t kMaxReferrer = 64u << 10;  // bytes of one descriptor

// Which referrers are asked for: all, or those of one artifact type.
struct ReferrersQuery {
  std::string artifact_type;
  bool is_understood = true;  // false: it asks for more than that

  static ReferrersQuery parse(std::string_view query);
};

// `known` with the descriptors of `page` added, one a digest; an empty `known` is an empty list.
std::optional<std::string> merge_referrers(std::string_view known, std::string_view page);

// Those of one artifact type; all where it is empty.
std::optional<std::string> filter_referrers(std::string_view list, std::string_view artifact_type);

// The descriptor that a registry makes of a manifest for the list of its subject: the type of the
// artifact is that of an image's config where the image names none, and the annotations are the
// manifest's. nullopt: `manifest` has no subject, or it would be larger than kMaxReferrer.
std::optional<std::string> describe_referrer(const Digest& digest, std::string_view media_type,
                                             std::string_view manifest);

// `known` with `descriptor`, which comes in place of one of the same digest.
std::optional<std::string> add_referrer(std::string_view known, std::string_view descriptor);

// `known` without that one.
std::optional<std::string> remove_referrer(std::string_view known, const Digest& digest);

}  // namespace fairlead::oci
