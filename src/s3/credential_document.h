// SPDX-License-Identifier: Apache-2.0
// The documents that temporary credentials come in. Pure; input is hostile, and never appears in
// an error: it may hold a secret.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "s3/credentials.h"

namespace fairlead::s3 {

inline constexpr std::size_t kMaxCredentialDocument = 64 * 1024;

// JSON of instance metadata and of container agents: AccessKeyId, SecretAccessKey, Token,
// Expiration. Without Expiration they do not expire. Unavailable when its Code says that there are
// none, else Corrupt.
Result<S3Credentials> parse_metadata_credentials(std::string_view json);

// XML of AssumeRoleWithWebIdentity. Corrupt unless all four elements are there, once each.
Result<S3Credentials> parse_sts_credentials(std::string_view xml);

// <Code> of an STS error, "ExpiredTokenException"; letters and digits only, else empty.
std::string parse_sts_error_code(std::string_view xml);

// "2026-11-21T10:05:00Z", also with a fraction of a second, which is dropped; years 1970 to 2199 (a
// clock of nanoseconds ends in 2262).
std::optional<WallTime> parse_utc(std::string_view text);

}  // namespace fairlead::s3
