// SPDX-License-Identifier: Apache-2.0
// Percent-encoding as Signature Version 4 wants it: A-Z a-z 0-9 - . _ ~ stay, every other byte
// becomes %XX in upper case, a space too (never '+'). Encoded once: S3, unlike other services of
// AWS, does not encode the path a second time. Pure; any bytes.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::s3 {

// Of a query parameter's name or value: '/' is encoded.
void append_encoded(std::string& out, std::string_view text);

// Of an object's key as a path: '/' stays, and nothing is normalised ("a//b", "a/../b" are keys).
void append_encoded_path(std::string& out, std::string_view key);

}  // namespace fairlead::s3
