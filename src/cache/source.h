// SPDX-License-Identifier: Apache-2.0
// Source: where a caller's content is obtained from, and so in whose name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cache/bucket_source.h"
#include "upstream/registry.h"

namespace fairlead::cache {

enum class ContentKind { Manifest, Blob };

struct Source {
  upstream::Registry* registry = nullptr;  // of the worker that uses this Source
  std::string registry_name;               // "docker.io"
  std::string repository;                  // the upstream's name for it
  ContentKind kind = ContentKind::Blob;
  std::string accept{};  // media types the caller takes, for manifests

  // The registry is asked in the name of one caller: theirs, told from others' by `caller`, and
  // kept for as long as anything is asked. Empty and null: it is asked in our own name.
  std::string caller{};
  std::shared_ptr<upstream::Registry> registry_of_caller{};

  BucketSource* bucket = nullptr;  // of the same worker; null: there is no cache.s3
  bool is_in_bucket = false;       // the bytes come from there, while it gives them

  // How many changes there had been (recent_changes.h) when the registry was asked, or before: what
  // changed since then is not learned from its answer. nullopt: all is.
  std::optional<std::uint64_t> asked{};

  // Whether what one may see the other may see too.
  [[nodiscard]] bool has_same_authority(const Source& other) const {
    return registry_name == other.registry_name && repository == other.repository &&
           caller == other.caller;
  }
};

}  // namespace fairlead::cache
