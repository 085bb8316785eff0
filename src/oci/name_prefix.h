// SPDX-License-Identifier: Apache-2.0
// Prefixes of names, and sets of them: where in a sorted list of names something may be found
// without looking at all of it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::oci {

// With what everything begins that `glob` matches: "team/" of "team/*/app".
[[nodiscard]] std::string_view literal_prefix(std::string_view glob);

// The same names by as few prefixes as will do: sorted, none of them begins with another.
[[nodiscard]] std::vector<std::string> outermost(std::vector<std::string> prefixes);

// With what all names begin that begin with both; nullopt: there is none.
[[nodiscard]] std::optional<std::string> narrower(std::string_view a, std::string_view b);

}  // namespace fairlead::oci
