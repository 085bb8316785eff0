// SPDX-License-Identifier: Apache-2.0
#include "oci/media_type.h"

#include <algorithm>
#include <array>

#include "oci/manifest.h"

namespace fairlead::oci {
namespace {

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

}  // namespace

// Schema 1 only where nothing newer is to be had: some registries convert on sight of it.
const std::string_view kManifestAccept =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.artifact.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1, "
    "application/vnd.docker.distribution.manifest.v1+json;q=0.1";

bool is_manifest_media_type(std::string_view media_type) {
  constexpr std::array kTypes{kOciManifest, kOciIndex,      kOciArtifact,        kDockerManifest,
                              kDockerList,  kDockerSchema1, kDockerSchema1Signed};
  return std::ranges::find(kTypes, media_type) != kTypes.end();
}

bool is_index_media_type(std::string_view media_type) {
  return media_type == kOciIndex || media_type == kDockerList;
}

std::string bare_media_type(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  const std::size_t begin = type.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  type = type.substr(begin, type.find_last_not_of(" \t") - begin + 1);
  const std::size_t slash = type.find('/');
  if (slash == std::string_view::npos || !is_token(type.substr(0, slash)) ||
      !is_token(type.substr(slash + 1))) {
    return {};
  }
  std::string lower(type);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace fairlead::oci
