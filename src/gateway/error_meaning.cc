// SPDX-License-Identifier: Apache-2.0
#include "gateway/error_meaning.h"

namespace fairlead::gateway {
namespace {

using oci::ErrorCode;

ErrorCode unknown_thing(oci::Kind kind) {
  switch (kind) {
    case oci::Kind::Manifest:
      return ErrorCode::ManifestUnknown;
    case oci::Kind::Blob:
      return ErrorCode::BlobUnknown;
    case oci::Kind::Upload:
      return ErrorCode::BlobUploadUnknown;
    default:
      return ErrorCode::NameUnknown;
  }
}

ErrorCode invalid_thing(oci::Kind kind) {
  return kind == oci::Kind::Manifest ? ErrorCode::ManifestInvalid : ErrorCode::BlobUploadInvalid;
}

}  // namespace

Meaning meaning_of(const Error& error, oci::Kind kind) {
  if (error.origin == Origin::Internal && error.code != Code::Cancelled) {
    return {500, ErrorCode::Unknown};
  }
  const bool is_upstream = error.origin == Origin::Upstream;
  switch (error.code) {
    case Code::NotFound:
      return {404, unknown_thing(kind)};
    // The upstream refuses us, not the caller's credentials: it must not be asked to log in here.
    case Code::Unauthorized:
      return is_upstream ? Meaning{403, ErrorCode::Denied} : Meaning{401, ErrorCode::Unauthorized};
    case Code::Denied:
      return {403, ErrorCode::Denied};
    case Code::TooManyRequests:
      return {429, ErrorCode::TooManyRequests};
    case Code::Timeout:
      return is_upstream ? Meaning{504, ErrorCode::Unavailable}
                         : Meaning{408, ErrorCode::Unavailable};
    case Code::Cancelled:
      return {503, ErrorCode::Unavailable};
    case Code::InvalidArgument:
      return is_upstream ? Meaning{502, ErrorCode::Unavailable}
                         : Meaning{400, ErrorCode::Unsupported};
    case Code::TooLarge:
      return is_upstream ? Meaning{502, ErrorCode::Unavailable}
                         : Meaning{413, ErrorCode::SizeInvalid};
    default:
      return {502, ErrorCode::Unavailable};
  }
}

Meaning meaning_of(const upstream::ChangeAnswer& refusal, oci::Kind kind) {
  const int status = refusal.status;
  const auto told = refusal.error ? oci::parse_error_code(refusal.error->code) : std::nullopt;
  if (told) return {status, *told};
  switch (status) {
    case 404:
      return {status, unknown_thing(kind)};
    case 405:
      return {status, ErrorCode::Unsupported};
    case 413:
      return {status, ErrorCode::SizeInvalid};
    default:
      return {status, invalid_thing(kind)};
  }
}

}  // namespace fairlead::gateway
