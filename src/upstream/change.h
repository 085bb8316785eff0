// SPDX-License-Identifier: Apache-2.0
// Change: one request that alters something at a registry, or goes on with an upload there; and
// ChangeAnswer, what the registry says to it, whatever its status (OCI distribution-spec 1.1,
// "Push", "Content Management").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/error_document.h"
#include "upstream/body.h"

namespace fairlead::upstream {

struct Change {
  std::string method;      // POST, PATCH, PUT, DELETE; GET for the state of an upload
  std::string repository;  // the registry's own name
  // One of these two: what follows /v2/<repository>/, query included ("blobs/uploads/?digest=...");
  // or where the registry said that an upload goes on (ChangeAnswer::location).
  std::string path{};
  std::string url{};
  bool is_elsewhere = false;  // `url` is not the registry's own word: no login goes there
  // A repository that is read for it: the right to that is asked for, too.
  std::string mounts_from{};

  std::string content_type{};
  std::string content_range{};

  // What is sent, one of these. A whole one may be sent several times, on as many attempts; a
  // stream only once, and nothing is read of it before the registry has let us in and wants it.
  std::shared_ptr<const std::string> whole{};
  std::shared_ptr<Body> stream{};
  std::optional<std::uint64_t> stream_length{};  // bytes; nullopt: as many as come
};

struct ChangeAnswer {
  int status = 0;  // 2xx, or 4xx but for 401, 403 and 429

  // Header fields as sent; empty when absent.
  std::string location;           // absolute: where the upload goes on, or what was made lies
  std::string range;              // "0-1023": what the registry has of an upload
  std::string upload_uuid;        // Docker-Upload-UUID
  std::string digest;             // Docker-Content-Digest
  std::string subject;            // OCI-Subject
  std::vector<std::string> tags;  // OCI-Tag
  std::string chunk_min_length;   // OCI-Chunk-Min-Length
  std::string warning;            // Warning

  // Not the registry itself said so, but whom it had sent us to.
  bool is_from_elsewhere = false;

  std::optional<oci::UpstreamErrorText> error;  // of a 4xx, where it says more than its status

  [[nodiscard]] bool is_success() const { return status < 300; }
};

}  // namespace fairlead::upstream
