// SPDX-License-Identifier: Apache-2.0
#include "auth/basic.h"

#include <sodium.h>

#include <algorithm>

namespace fairlead::auth {
namespace {

constexpr std::string_view kScheme = "basic";
constexpr std::size_t kMaxEncoded = (kMaxBasicBytes + 2) / 3 * 4;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::unexpected<Error> malformed(std::string_view why) {
  return client_error(Code::InvalidArgument, "malformed Basic credentials: " + std::string(why));
}

}  // namespace

bool is_basic(std::string_view authorization) {
  const std::string_view scheme = authorization.substr(0, kScheme.size());
  const std::string_view rest = authorization.substr(scheme.size());
  return std::ranges::equal(scheme, kScheme, {}, lower) && (rest.empty() || rest.front() == ' ');
}

Result<BasicCredentials> parse_basic(std::string_view authorization) {
  if (!is_basic(authorization)) return malformed("not of the scheme Basic");
  std::string_view encoded = authorization.substr(kScheme.size());
  encoded.remove_prefix(std::min(encoded.find_first_not_of(' '), encoded.size()));
  encoded = encoded.substr(0, encoded.find_last_not_of(" \t") + 1);
  if (encoded.size() > kMaxEncoded) return malformed("too long");

  std::string decoded(encoded.size(), '\0');
  std::size_t size = 0;
  if (::sodium_base642bin(reinterpret_cast<unsigned char*>(decoded.data()), decoded.size(),
                          encoded.data(), encoded.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
    return malformed("not base64");
  }
  decoded.resize(size);
  if (size > kMaxBasicBytes) return malformed("too long");
  if (std::ranges::any_of(decoded, is_control)) return malformed("a control character");
  const std::size_t colon = decoded.find(':');
  if (colon == decoded.npos) return malformed("no colon");
  return BasicCredentials{.user = decoded.substr(0, colon),
                          .password = Secret(decoded.substr(colon + 1))};
}

}  // namespace fairlead::auth
