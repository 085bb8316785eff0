// SPDX-License-Identifier: Apache-2.0
#include "oci/catalog.h"

#include <boost/json.hpp>

#include "oci/name.h"

namespace fairlead::oci {

namespace json = boost::json;

std::optional<std::vector<std::string>> parse_catalog(std::string_view body) {
  json::error_code ec;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), ec);
  if (ec || !document.is_object()) return std::nullopt;
  const auto* listed = document.get_object().if_contains("repositories");
  if (listed == nullptr) return std::nullopt;
  std::vector<std::string> names;
  if (listed->is_null()) return names;  // an empty list, as Go writes it
  if (!listed->is_array()) return std::nullopt;
  for (const auto& name : listed->get_array()) {
    if (!name.is_string()) return std::nullopt;
    const std::string_view text(name.get_string().data(), name.get_string().size());
    if (is_repository_name(text)) names.emplace_back(text);
  }
  return names;
}

std::string write_catalog(const std::vector<std::string>& names) {
  json::array listed;
  listed.reserve(names.size());
  for (const std::string& name : names) listed.emplace_back(name);
  return json::serialize(json::object{{"repositories", std::move(listed)}});
}

}  // namespace fairlead::oci
