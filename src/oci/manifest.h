// SPDX-License-Identifier: Apache-2.0
// What we need to know of a manifest or index: its media type and what it names. The bytes are
// never rewritten. Handles OCI image manifests and indexes, docker schema 2 manifests and lists,
// docker schema 1 and artifacts (OCI image-spec 1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "oci/digest.h"

namespace fairlead::oci {

inline constexpr std::uint64_t kMaxManifestSize = 4u << 20;  // bytes; the spec's least upper limit

struct Descriptor {
  Digest digest;
  std::uint64_t size = 0;  // bytes
  std::string media_type;
  // It has `urls`: clients get it elsewhere. Registries accept the push of such a manifest without
  // having the blob, so being named here does not prove that the repository holds it.
  bool is_foreign = false;
};

struct Manifest {
  std::string media_type;             // from the document, or told from its shape
  std::vector<Descriptor> manifests;  // children of an index
  std::vector<Descriptor> blobs;      // config and layers; foreign layers (with urls) included
  std::optional<Descriptor> subject;
  std::string artifact_type;
};

// Bounded: at most kMaxManifestSize bytes, nesting 32, 10,000 descriptors, 32 MiB of memory
// (TooLarge). `text` is hostile: what two parsers could read differently, such as a document that
// is an image and an index at once, is refused (InvalidArgument).
Result<Manifest> parse_manifest(std::string_view text);

// The media types of manifests that we ask an upstream for when the client named none, as one
// Accept value.
extern const std::string_view kManifestAccept;

[[nodiscard]] bool is_manifest_media_type(std::string_view media_type);
[[nodiscard]] bool is_index_media_type(std::string_view media_type);  // its children are manifests

// A Content-Type value without its parameters, trimmed and lower-cased; empty when it is not
// `type/subtype`.
std::string bare_media_type(std::string_view content_type);

}  // namespace fairlead::oci
