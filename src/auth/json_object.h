// SPDX-License-Identifier: Apache-2.0
// JSON objects of hostile origin, where two readers must not see different things. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string_view>

namespace fairlead::auth {

// nullopt: not JSON (RFC 8259, in UTF-8), not an object, nested deeper than 32, or a member that is
// there twice. The attack: {"sub":"alice","sub":"bob"}, of which the issuer's own checks have seen
// the first and we the last. The caller bounds the text; as values it takes some 12 times as much.
std::optional<boost::json::object> parse_json_object(std::string_view text);

}  // namespace fairlead::auth
