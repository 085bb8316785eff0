// SPDX-License-Identifier: Apache-2.0
#include "oci/tag_list.h"

#include <boost/json.hpp>

#include "oci/name.h"

namespace fairlead::oci {

namespace json = boost::json;

std::optional<std::string> rename_tag_list(std::string_view body, std::string_view name) {
  json::error_code ec;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), ec);
  if (ec || !document.is_object()) return std::nullopt;
  json::array tags;
  if (const auto* listed = document.get_object().if_contains("tags")) {
    // Registries answer null for a repository without tags.
    if (!listed->is_array() && !listed->is_null()) return std::nullopt;
    if (listed->is_array()) {
      for (const auto& tag : listed->get_array()) {
        if (!tag.is_string()) return std::nullopt;
        const std::string_view text(tag.get_string().data(), tag.get_string().size());
        if (is_tag(text)) tags.emplace_back(tag);
      }
    }
  }
  return json::serialize(
      json::object{{"name", json::string(name.begin(), name.end())}, {"tags", std::move(tags)}});
}

}  // namespace fairlead::oci
