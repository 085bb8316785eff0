// SPDX-License-Identifier: Apache-2.0
#include "auth/base64url.h"

#include <sodium.h>

#include <cstddef>

namespace fairlead::auth {
namespace {

constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

}  // namespace

std::string base64url_encode(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.pop_back();  // libsodium ends it with a zero
  return text;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       text.data(), text.size(), nullptr, &size, nullptr, kVariant);
  if (failed != 0) return std::nullopt;
  bytes.resize(size);
  // libsodium 1.0.18 takes some bytes above 0x7f for letters: only what it would write is right.
  if (base64url_encode(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace fairlead::auth
