// SPDX-License-Identifier: Apache-2.0
// KeepPattern: what eviction leaves alone, as an operator writes it. Pure.
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

struct KeepPattern {
  std::string repository;          // a glob on "registry/repository"
  std::optional<std::string> tag;  // a glob; none: everything of the repository

  // An error is what is wrong with the text and what to write; it does not quote the text.
  static std::expected<KeepPattern, std::string> parse(std::string_view text);

  [[nodiscard]] bool matches_repository(std::string_view registry, std::string_view name) const;
  // Whether `tag` of a repository that matches is meant.
  [[nodiscard]] bool matches_tag(std::string_view name) const;

  friend bool operator==(const KeepPattern&, const KeepPattern&) = default;
};

}  // namespace fairlead::cache
