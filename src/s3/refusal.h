// SPDX-License-Identifier: Apache-2.0
// What an answer of S3 that is no success means: an Error as objects.h says, in words that tell
// people what to mend. Pure; the answer is hostile.
//
// The words hold nothing of the request but the object's key. What the server says is quoted only
// printable and bounded, never where it may hold what was signed, and without the credentials.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "s3/credentials.h"
#include "upstream/http_message.h"

namespace fairlead::s3 {

// What was asked, and by whom.
struct Asked {
  std::string_view region;
  std::string_view permission;  // "s3:GetObject": what the question needs
  std::string_view key;         // empty: the bucket itself was asked
  const S3Credentials& credentials;
  WallTime now;
};

struct RefusedAnswer {
  int status = 0;
  const upstream::Headers& headers;
  std::string_view body;  // empty: of a HEAD
};

// The context does not name the bucket.
Error refusal(const RefusedAnswer& answer, const Asked& asked);

// "Sun, 06 Nov 1994 08:49:37 GMT", the form that all servers send (RFC 9110, 5.6.7).
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace fairlead::s3
