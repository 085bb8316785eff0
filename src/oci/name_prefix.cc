// SPDX-License-Identifier: Apache-2.0
#include "oci/name_prefix.h"

#include <algorithm>
#include <utility>

namespace fairlead::oci {

std::string_view literal_prefix(std::string_view glob) { return glob.substr(0, glob.find('*')); }

std::vector<std::string> outermost(std::vector<std::string> prefixes) {
  std::ranges::sort(prefixes);
  std::vector<std::string> kept;
  for (std::string& prefix : prefixes) {
    // What begins with another comes behind it, and before what does not.
    if (kept.empty() || !prefix.starts_with(kept.back())) kept.push_back(std::move(prefix));
  }
  return kept;
}

std::optional<std::string> narrower(std::string_view a, std::string_view b) {
  if (a.size() < b.size()) std::swap(a, b);
  return a.starts_with(b) ? std::optional<std::string>(a) : std::nullopt;
}

}  // namespace fairlead::oci
