// SPDX-License-Identifier: Apache-2.0
// ImagePattern: which images an operator means, to keep, to list or to purge them. Pure.
//
//   docker.io/library/alpine:3.*    what the tags of this repository that begin with "3." mean
//   ghcr.io/team/**                 everything of all repositories below team/
//   **                              everything
//
// It is `registry/repository[:tag]`, each a glob (oci/glob.h); the registry by its configured
// name, the repository as that registry calls it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::cache {

struct ImagePattern {
  std::string repository;          // a glob on "registry/repository"
  std::optional<std::string> tag;  // a glob; none: everything of the repository

  // An error is what is wrong with the text and what to write; it does not quote the text.
  static std::expected<ImagePattern, std::string> parse(std::string_view text);

  [[nodiscard]] bool matches_repository(std::string_view registry, std::string_view name) const;
  // Whether `tag` of a repository that matches is meant.
  [[nodiscard]] bool matches_tag(std::string_view name) const;

  friend bool operator==(const ImagePattern&, const ImagePattern&) = default;
};

}  // namespace fairlead::cache
