// SPDX-License-Identifier: Apache-2.0
#include "upstream/http_message.h"

#include "upstream/ascii.h"

namespace fairlead::upstream {

void Headers::add(std::string name, std::string value) {
  entries_.emplace_back(std::move(name), std::move(value));
}

std::string_view Headers::find(std::string_view name) const {
  for (const auto& [entry_name, value] : entries_) {
    if (equal_ignoring_case(entry_name, name)) return value;
  }
  return {};
}

std::vector<std::string_view> Headers::find_all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [entry_name, value] : entries_) {
    if (equal_ignoring_case(entry_name, name)) values.push_back(value);
  }
  return values;
}

std::string Headers::join(std::string_view name) const {
  std::string joined;
  for (const std::string_view value : find_all(name)) {
    if (!joined.empty()) joined += ", ";
    joined += value;
  }
  return joined;
}

}  // namespace fairlead::upstream
