// SPDX-License-Identifier: Apache-2.0
// What CNCF distribution keeps in a bucket: its keys, and what a link says. Pure. layout.h draws
// it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "oci/digest.h"

namespace fairlead::s3::distribution {

inline constexpr std::size_t kMaxLink = 256;  // bytes; the longest digest has 135

// `root` as BucketOptions has it; names and tags valid by the grammar.
std::string blob_key(std::string_view root, const oci::Digest& digest);
std::string layer_link(std::string_view root, std::string_view repository,
                       const oci::Digest& digest);
std::string revision_link(std::string_view root, std::string_view repository,
                          const oci::Digest& digest);
std::string tag_link(std::string_view root, std::string_view repository, std::string_view tag);
std::string tags_prefix(std::string_view root, std::string_view repository);

// The tag of a prefix "<tags_prefix><tag>/" as a listing has it; nullopt: it is none.
std::optional<std::string> tag_of(std::string_view prefix, std::string_view tags_prefix);

// nullopt: it is not a link.
std::optional<oci::Digest> parse_link(std::string_view text);

}  // namespace fairlead::s3::distribution
