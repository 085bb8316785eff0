// SPDX-License-Identifier: Apache-2.0
// S3Credentials: what a bucket's requests are signed with.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

namespace fairlead::s3 {

struct S3Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token{};            // of temporary credentials; else empty
  std::optional<WallTime> expiry{};  // of temporary credentials

  friend bool operator==(const S3Credentials&, const S3Credentials&) = default;
};

// InvalidArgument unless all three are printable ASCII without spaces and of sane length, and the
// access key without what separates it from its neighbours ('/' ','): they become parts of headers.
Result<void> check_credentials(const S3Credentials& credentials);

}  // namespace fairlead::s3
