// SPDX-License-Identifier: Apache-2.0
// The names of the enumerators of operation.h.
#include <array>
#include <cstdlib>
#include <utility>

#include "oci/operation.h"

namespace fairlead::oci {
namespace {

constexpr std::array<std::pair<ErrorCode, std::string_view>, 18> kErrorCodes{{
    {ErrorCode::BlobUnknown, "BLOB_UNKNOWN"},
    {ErrorCode::BlobUploadInvalid, "BLOB_UPLOAD_INVALID"},
    {ErrorCode::BlobUploadUnknown, "BLOB_UPLOAD_UNKNOWN"},
    {ErrorCode::DigestInvalid, "DIGEST_INVALID"},
    {ErrorCode::ManifestBlobUnknown, "MANIFEST_BLOB_UNKNOWN"},
    {ErrorCode::ManifestInvalid, "MANIFEST_INVALID"},
    {ErrorCode::ManifestUnknown, "MANIFEST_UNKNOWN"},
    {ErrorCode::NameInvalid, "NAME_INVALID"},
    {ErrorCode::NameUnknown, "NAME_UNKNOWN"},
    {ErrorCode::SizeInvalid, "SIZE_INVALID"},
    {ErrorCode::Unauthorized, "UNAUTHORIZED"},
    {ErrorCode::Denied, "DENIED"},
    {ErrorCode::Unsupported, "UNSUPPORTED"},
    {ErrorCode::TooManyRequests, "TOOMANYREQUESTS"},
    {ErrorCode::TagInvalid, "TAG_INVALID"},
    {ErrorCode::RangeInvalid, "RANGE_INVALID"},
    {ErrorCode::Unavailable, "UNAVAILABLE"},
    {ErrorCode::Unknown, "UNKNOWN"},
}};

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::Ping:
      return "ping";
    case Kind::Manifest:
      return "manifest";
    case Kind::Blob:
      return "blob";
    case Kind::UploadStart:
      return "upload_start";
    case Kind::Upload:
      return "upload";
    case Kind::Tags:
      return "tags";
    case Kind::Referrers:
      return "referrers";
    case Kind::Catalog:
      return "catalog";
  }
  std::abort();
}

std::string_view to_string(Action action) {
  switch (action) {
    case Action::Pull:
      return "pull";
    case Action::Push:
      return "push";
    case Action::Delete:
      return "delete";
  }
  std::abort();
}

std::string_view to_string(ErrorCode code) {
  for (const auto& [known, name] : kErrorCodes) {
    if (known == code) return name;
  }
  std::abort();
}

std::optional<ErrorCode> parse_error_code(std::string_view text) {
  for (const auto& [known, name] : kErrorCodes) {
    if (name == text) return known;
  }
  return std::nullopt;
}

}  // namespace fairlead::oci
