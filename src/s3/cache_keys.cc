// SPDX-License-Identifier: Apache-2.0
#include "s3/cache_keys.h"

namespace fairlead::s3 {
namespace {

std::string prefix(std::string_view root, std::string_view kind) {
  std::string text(root);
  if (!root.empty()) text.append("/");
  return text.append(kind).append("/");
}

std::string key(std::string prefix, const oci::Digest& digest) {
  const std::string_view hex = digest.hex();
  prefix.append(oci::to_string(digest.algorithm())).append("/");
  return prefix.append(hex.substr(0, 2)).append("/").append(hex);
}

}  // namespace

std::string cache_prefix(std::string_view root) { return prefix(root, "blobs"); }
std::string use_prefix(std::string_view root) { return prefix(root, "used"); }

std::string cache_key(std::string_view root, const oci::Digest& digest) {
  return key(cache_prefix(root), digest);
}

std::string use_key(std::string_view root, const oci::Digest& digest) {
  return key(use_prefix(root), digest);
}

// What its algorithm and last part would be the key of must be the key.
std::optional<oci::Digest> digest_of_key(std::string_view root, std::string_view key) {
  for (const bool is_blob : {true, false}) {
    const std::string before = is_blob ? cache_prefix(root) : use_prefix(root);
    if (!key.starts_with(before)) continue;
    const std::string_view rest = key.substr(before.size());
    std::string text(rest.substr(0, rest.find('/')));
    text.append(":").append(rest.substr(rest.rfind('/') + 1));
    const auto digest = oci::Digest::parse(text);
    if (!digest) return std::nullopt;
    const std::string ours = is_blob ? cache_key(root, *digest) : use_key(root, *digest);
    return ours == key ? digest : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace fairlead::s3
