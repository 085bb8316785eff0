// SPDX-License-Identifier: Apache-2.0
#include "s3/distribution_keys.h"

#include "oci/name.h"

namespace fairlead::s3::distribution {
namespace {

std::string base(std::string_view root) {
  std::string key(root);
  if (!key.empty()) key += '/';
  return key + "docker/registry/v2/";
}

std::string in_repository(std::string_view root, std::string_view repository,
                          std::string_view rest) {
  std::string key = base(root);
  return key.append("repositories/").append(repository).append("/").append(rest);
}

// "sha256/<hex>"
std::string path_of(const oci::Digest& digest) {
  std::string path(oci::to_string(digest.algorithm()));
  return path.append("/").append(digest.hex());
}

}  // namespace

std::string blob_key(std::string_view root, const oci::Digest& digest) {
  std::string key = base(root) + "blobs/";
  key.append(oci::to_string(digest.algorithm())).append("/").append(digest.hex().substr(0, 2));
  return key.append("/").append(digest.hex()).append("/data");
}

std::string layer_link(std::string_view root, std::string_view repository,
                       const oci::Digest& digest) {
  return in_repository(root, repository, "_layers/" + path_of(digest) + "/link");
}

std::string revision_link(std::string_view root, std::string_view repository,
                          const oci::Digest& digest) {
  return in_repository(root, repository, "_manifests/revisions/" + path_of(digest) + "/link");
}

std::string tag_link(std::string_view root, std::string_view repository, std::string_view tag) {
  return tags_prefix(root, repository).append(tag).append("/current/link");
}

std::string tags_prefix(std::string_view root, std::string_view repository) {
  return in_repository(root, repository, "_manifests/tags/");
}

std::optional<std::string> tag_of(std::string_view prefix, std::string_view tags_prefix) {
  if (!prefix.starts_with(tags_prefix) || !prefix.ends_with('/')) return std::nullopt;
  prefix.remove_prefix(tags_prefix.size());
  if (prefix.empty()) return std::nullopt;
  prefix.remove_suffix(1);
  return oci::is_tag(prefix) ? std::optional(std::string(prefix)) : std::nullopt;
}

std::optional<oci::Digest> parse_link(std::string_view text) {
  if (text.size() > kMaxLink) return std::nullopt;
  return oci::Digest::parse(text);
}

}  // namespace fairlead::s3::distribution
