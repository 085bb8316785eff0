// SPDX-License-Identifier: Apache-2.0
// Operation: what a request to /v2/ asks for, read from its method and target alone.
//
// Paths are parsed from the right, because a repository name may itself hold `manifests`,
// `blobs`, `tags` or start with `v2/` (OCI distribution-spec 1.1, "Endpoints").
// Pure: no I/O, no configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "oci/digest.h"

namespace fairlead::oci {

enum class Kind {
  Ping,         // GET /v2/
  Manifest,     // /v2/<name>/manifests/<reference>
  Blob,         // /v2/<name>/blobs/<digest>
  UploadStart,  // POST /v2/<name>/blobs/uploads/
  Upload,       // /v2/<name>/blobs/uploads/<session>
  Tags,         // /v2/<name>/tags/list
  Referrers,    // /v2/<name>/referrers/<digest>
  Catalog,      // /v2/_catalog
};

enum class Action { Pull, Push, Delete };

std::string_view to_string(Kind kind);
std::string_view to_string(Action action);

// The codes of the error JSON (OCI distribution-spec 1.1, "Error codes"; the last two are
// distribution's).
enum class ErrorCode {
  BlobUnknown,
  BlobUploadInvalid,
  BlobUploadUnknown,
  DigestInvalid,
  ManifestBlobUnknown,
  ManifestInvalid,
  ManifestUnknown,
  NameInvalid,
  NameUnknown,
  SizeInvalid,
  Unauthorized,
  Denied,
  Unsupported,
  TooManyRequests,
  TagInvalid,
  RangeInvalid,
  Unavailable,
  Unknown,
};

std::string_view to_string(ErrorCode code);  // "BLOB_UNKNOWN"
std::optional<ErrorCode> parse_error_code(std::string_view text);

// A tag or a digest.
struct Reference {
  std::string text;              // as it stands in the path, but a digest's %3A is ':'
  std::optional<Digest> digest;  // set when it is one

  [[nodiscard]] bool is_digest() const { return digest.has_value(); }
};

struct Operation {
  Kind kind = Kind::Ping;
  Action action = Action::Pull;
  bool is_head = false;
  std::string repository;  // valid by the grammar; empty for Ping and Catalog
  Reference reference;  // Manifest, Blob, Referrers: always valid. Upload: text is the session id
  std::string query;    // raw, without '?' and without `ns`
  std::string name_space;  // the value of `ns` (containerd), percent-decoded; empty when absent
};

// Why a request to /v2/ is not an operation.
struct OperationError {
  int status = 400;  // 400, 404 (no such endpoint), 405 (method)
  ErrorCode code = ErrorCode::Unsupported;
  std::string message;
  std::string_view allowed{};  // of 405: the methods that there are ("GET, HEAD")
};

// `target` is the request-target in origin form, beginning with "/v2" (query included).
std::expected<Operation, OperationError> parse_operation(std::string_view method,
                                                         std::string_view target);

// The value of one parameter of a raw query, percent-decoded ('+' stays); the first of several;
// nullopt when absent or malformed.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

// Percent-encodes all but unreserved characters (RFC 3986, 2.3).
std::string percent_encode(std::string_view text);

}  // namespace fairlead::oci
