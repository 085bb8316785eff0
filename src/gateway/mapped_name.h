// SPDX-License-Identifier: Apache-2.0
// Mapped names: what an upstream calls its repository is turned back into what the client calls
// it, wherever it shows.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::gateway {

// `text` with every occurrence of the repository name `from` as a whole name replaced by `to`.
std::string rename_in_text(std::string_view text, std::string_view from, std::string_view to);

}  // namespace fairlead::gateway
