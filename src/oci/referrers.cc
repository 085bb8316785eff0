// SPDX-License-Identifier: Apache-2.0
#include "oci/referrers.h"

#include <boost/json.hpp>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "oci/manifest.h"
#include "oci/media_type.h"
#include "oci/query.h"

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

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

// An index has no config to tell by what it is.
std::string artifact_type_of(const Manifest& manifest) {
  const bool is_image =
      manifest.media_type == kOciManifest || manifest.media_type == kDockerManifest;
  if (!manifest.artifact_type.empty() || !is_image) return manifest.artifact_type;
  return manifest.blobs.front().media_type;  // the config
}

// Those of a manifest, as far as they are annotations: text.
json::object annotations_of(std::string_view manifest) {
  json::error_code ec;
  const json::value document = json::parse(json::string_view(manifest.data(), manifest.size()), ec);
  const auto* object = ec ? nullptr : document.if_object();
  const auto* member = object != nullptr ? object->if_contains("annotations") : nullptr;
  json::object annotations;
  if (member == nullptr || !member->is_object()) return annotations;
  for (const auto& [key, value] : member->get_object()) {
    if (value.is_string()) annotations.emplace(key, value);
  }
  return annotations;
}

json::array without(json::array descriptors, std::string_view digest) {
  json::array left;
  for (json::value& descriptor : descriptors) {
    if (text_of(descriptor, "digest") != digest) left.push_back(std::move(descriptor));
  }
  return left;
}

std::string write(json::array descriptors) {
  return json::serialize(
      json::object{{"schemaVersion", 2},
                   {"mediaType", json::string_view(kOciIndex.data(), kOciIndex.size())},
                   {"manifests", std::move(descriptors)}});
}

}  // namespace

ReferrersQuery ReferrersQuery::parse(std::string_view query) {
  ReferrersQuery out;
  bool is_first = true;
  for (QueryReader reader(query); reader.next();) {
    if (reader.raw().empty()) continue;
    auto value = reader.has_name("artifactType") ? reader.value() : std::nullopt;
    if (value && is_first) {
      out.artifact_type = *std::move(value);
      is_first = false;
    } else {
      out.is_understood = false;
    }
  }
  return out;
}

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

std::optional<std::string> describe_referrer(const Digest& digest, std::string_view media_type,
                                             std::string_view manifest) {
  const auto parsed = parse_manifest(manifest);  // bounds what is read again below
  if (!parsed || !parsed->subject) return std::nullopt;
  json::object descriptor{{"mediaType", text(media_type)},
                          {"digest", text(digest.str())},
                          {"size", static_cast<std::uint64_t>(manifest.size())}};
  if (const std::string type = artifact_type_of(*parsed); !type.empty()) {
    descriptor.emplace("artifactType", text(type));
  }
  if (auto annotations = annotations_of(manifest); !annotations.empty()) {
    descriptor.emplace("annotations", std::move(annotations));
  }
  std::string written = json::serialize(descriptor);
  if (written.size() > kMaxReferrer) return std::nullopt;
  return written;
}

std::optional<std::string> add_referrer(std::string_view known, std::string_view descriptor) {
  json::error_code ec;
  json::value added = json::parse(json::string_view(descriptor.data(), descriptor.size()), ec);
  auto all = descriptors_of(known);
  if (ec || !all) return std::nullopt;
  json::array descriptors = without(*std::move(all), text_of(added, "digest"));
  descriptors.push_back(std::move(added));
  return write(std::move(descriptors));
}

std::optional<std::string> remove_referrer(std::string_view known, const Digest& digest) {
  auto all = descriptors_of(known);
  if (!all) return std::nullopt;
  return write(without(*std::move(all), digest.str()));
}

}  // namespace fairlead::oci
