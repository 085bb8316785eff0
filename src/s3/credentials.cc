// SPDX-License-Identifier: Apache-2.0
#include "s3/credentials.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace fairlead::s3 {
namespace {

constexpr std::size_t kMaxAccessKey = 128;
constexpr std::size_t kMaxSecretKey = 1024;
constexpr std::size_t kMaxSessionToken = 16 * 1024;  // AWS promises no bound; about 1 KiB is usual

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

Result<void> check_credentials(const S3Credentials& credentials) {
  const std::string& access = credentials.access_key;
  if (access.empty() || access.size() > kMaxAccessKey || !is_printable(access) ||
      access.find_first_of("/,") != std::string::npos) {
    return internal_error(Code::InvalidArgument, "the S3 access key is not one");
  }
  const std::string& secret = credentials.secret_key.reveal();
  if (secret.empty() || secret.size() > kMaxSecretKey || !is_printable(secret)) {
    return internal_error(Code::InvalidArgument, "the S3 secret key is not one");
  }
  const std::string& token = credentials.session_token.reveal();
  if (token.size() > kMaxSessionToken || !is_printable(token)) {
    return internal_error(Code::InvalidArgument, "the S3 session token is not one");
  }
  return {};
}

}  // namespace fairlead::s3
