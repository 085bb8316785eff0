// SPDX-License-Identifier: Apache-2.0
// The `Link: <target>; rel="next"` header of paged lists (RFC 8288; OCI distribution-spec 1.1,
// "Listing tags").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::oci {

// The target of the first rel="next" link, as written: absolute or relative.
std::optional<std::string> next_link(std::string_view link_header);

// The raw query of a link target ("/v2/x/tags/list?n=1&last=b" -> "n=1&last=b"); empty when it
// has none. Safe to put into a header: visible ASCII only, without '<', '>' and '"'; and without
// `ns`, which is no upstream's to say.
std::string link_query(std::string_view target);

}  // namespace fairlead::oci
