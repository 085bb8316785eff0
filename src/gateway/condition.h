// SPDX-License-Identifier: Apache-2.0
// Conditional requests on content whose entity tag is its digest (RFC 9110, 13).
#pragma once

#include <string>
#include <string_view>

#include "oci/digest.h"

namespace fairlead::gateway {

// "\"sha256:...\""
std::string entity_tag(const oci::Digest& digest);

// Whether an If-None-Match value names this content: answer 304. Weak comparison.
bool matches_any(std::string_view if_none_match, std::string_view entity_tag);

// Whether a Range applies in view of If-Range: it is absent, or names this content. Strong
// comparison; a date never matches, for digests have none.
bool allows_range(std::string_view if_range, std::string_view entity_tag);

}  // namespace fairlead::gateway
