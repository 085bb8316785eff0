// SPDX-License-Identifier: Apache-2.0
#include "cache/manifest_names.h"

#include <unistd.h>

#include <string>
#include <utility>

namespace fairlead::cache {
namespace {

std::vector<oci::Digest> digests_of(std::vector<oci::Descriptor> descriptors) {
  std::vector<oci::Digest> digests;
  digests.reserve(descriptors.size());
  for (auto& descriptor : descriptors) digests.push_back(std::move(descriptor.digest));
  return digests;
}

// nullopt: it has not got so many bytes.
std::optional<std::string> read_file(int file, std::uint64_t size) {
  std::string text(size, '\0');
  std::uint64_t at = 0;
  while (at < size) {
    const ssize_t n = ::pread(file, text.data() + at, size - at, static_cast<off_t>(at));
    if (n <= 0) return std::nullopt;
    at += static_cast<std::uint64_t>(n);
  }
  return text;
}

}  // namespace

std::vector<oci::Digest> ManifestNames::all() const {
  std::vector<oci::Digest> both = manifests;
  both.insert(both.end(), blobs.begin(), blobs.end());
  return both;
}

ManifestNames names_of(oci::Manifest manifest) {
  if (manifest.manifests.size() + manifest.blobs.size() > kMostNames) return {};
  return {.manifests = digests_of(std::move(manifest.manifests)),
          .blobs = digests_of(std::move(manifest.blobs))};
}

ManifestNames names_in(std::string_view manifest) {
  auto parsed = oci::parse_manifest(manifest);
  if (!parsed) return {};
  return names_of(*std::move(parsed));
}

ManifestNames names_in_file(int file, std::uint64_t size) {
  const auto text = read_file(file, size);
  return text ? names_in(*text) : ManifestNames{};
}

std::optional<std::string> type_in_file(int file, std::uint64_t size) {
  if (size > oci::kMaxManifestSize) return std::nullopt;
  const auto text = read_file(file, size);
  auto manifest = text ? oci::parse_manifest(*text) : std::unexpected(Error{});
  if (!manifest) return std::nullopt;
  return std::move(manifest->media_type);
}

bool says_type_in_file(int file, std::uint64_t size, std::string_view media_type) {
  return type_in_file(file, size) == media_type;
}

}  // namespace fairlead::cache
