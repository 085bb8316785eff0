// SPDX-License-Identifier: Apache-2.0
#include "oci/referrers.h"

#include <boost/json.hpp>
#include <unordered_set>
#include <utility>

#include "oci/media_type.h"

namespace fairlead::oci {

namespace json = boost::json;

namespace {

std::string_view text_of(const json::value& descriptor, std::string_view key) {
  const auto* object = descriptor.if_object();
  const auto* value = object != nullptr ? object->if_contains(key) : nullptr;
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::optional<json::array> descriptors_of(std::string_view list) {
  json::error_code ec;
  json::value document = json::parse(json::string_view(list.data(), list.size()), ec);
  if (ec || !document.is_object()) return std::nullopt;
  auto* manifests = document.get_object().if_contains("manifests");
  if (manifests == nullptr || !manifests->is_array()) return std::nullopt;
  return std::move(manifests->get_array());
}

std::string write(json::array descriptors) {
  return json::serialize(
      json::object{{"schemaVersion", 2},
                   {"mediaType", json::string_view(kOciIndex.data(), kOciIndex.size())},
                   {"manifests", std::move(descriptors)}});
}

}  // namespace

std::optional<std::string> merge_referrers(std::string_view known, std::string_view page) {
  auto all = known.empty() ? json::array() : descriptors_of(known);
  auto more = descriptors_of(page);
  if (!all || !more) return std::nullopt;
  std::unordered_set<std::string> digests;
  for (const json::value& descriptor : *all) digests.emplace(text_of(descriptor, "digest"));
  for (json::value& descriptor : *more) {
    const bool is_new = digests.emplace(text_of(descriptor, "digest")).second;
    if (is_new) all->push_back(std::move(descriptor));
  }
  return write(std::move(*all));
}

std::optional<std::string> filter_referrers(std::string_view list, std::string_view artifact_type) {
  auto all = descriptors_of(list);
  if (!all) return std::nullopt;
  json::array chosen;
  for (json::value& descriptor : *all) {
    const bool is_wanted =
        artifact_type.empty() || text_of(descriptor, "artifactType") == artifact_type;
    if (is_wanted) chosen.push_back(std::move(descriptor));
  }
  return write(std::move(chosen));
}

}  // namespace fairlead::oci
