// SPDX-License-Identifier: Apache-2.0
#include "cache/image_pattern.h"

#include <cstddef>

#include "oci/glob.h"

namespace fairlead::cache {
namespace {

// A registry may be called by its host and port: only a colon behind the last slash begins a tag.
std::size_t tag_separator(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  return text.find(':', slash == std::string_view::npos ? 0 : slash);
}

// Behind the first component: the registry's name may have letters that a repository has not.
std::string_view repository_part(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
}

}  // namespace

std::expected<ImagePattern, std::string> ImagePattern::parse(std::string_view text) {
  constexpr const char* kExample = "write registry/repository[:tag], such as ";
  if (text.contains('@')) {
    return std::unexpected("names a digest; write a tag, or only the repository");
  }
  const std::size_t colon = tag_separator(text);
  const std::string_view name = text.substr(0, colon);
  if (!name.contains('/') && !name.starts_with("**")) {
    const std::string all =
        oci::is_repository_glob(name)
            ? "has no '/'; for all of a registry write " + std::string(name) + "/**, else "
            : "names no registry; ";
    return std::unexpected(all + kExample + "docker.io/library/alpine:3.* or docker.io/library/**");
  }
  if (name.starts_with('/') ||
      (name.contains('/') && !oci::is_repository_glob(repository_part(name)))) {
    return std::unexpected(
        std::string("has a repository that no registry can have; use lower-case letters, digits, "
                    "'.', '_', '-', '/', '*' and '**', and ") +
        kExample + "ghcr.io/team/**");
  }
  ImagePattern pattern{.repository = std::string(name), .tag = std::nullopt};
  if (colon == std::string_view::npos) return pattern;
  const std::string_view tag = text.substr(colon + 1);
  if (!oci::is_tag_glob(tag)) {
    return std::unexpected(
        "has a tag that no repository can have; use letters, digits, '.', '_', '-' and '*' behind "
        "the ':', or leave both away to mean the whole repository");
  }
  pattern.tag = tag;
  return pattern;
}

bool ImagePattern::matches_repository(std::string_view registry, std::string_view name) const {
  return oci::matches_glob(repository, std::string(registry).append("/").append(name));
}

bool ImagePattern::matches_tag(std::string_view name) const {
  return !tag || oci::matches_glob(*tag, name);
}

}  // namespace fairlead::cache
