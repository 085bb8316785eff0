// SPDX-License-Identifier: Apache-2.0
#include "s3/uri_encoding.h"

#include <array>

namespace fairlead::s3 {
namespace {

constexpr std::array<bool, 256> unreserved(bool with_slash) {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    table[c] = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '~' || (with_slash && c == '/');
  }
  return table;
}

constexpr auto kInQuery = unreserved(false);
constexpr auto kInPath = unreserved(true);

void append(std::string& out, std::string_view text, const std::array<bool, 256>& stays) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (stays[byte]) {
      out += c;
      continue;
    }
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
}

}  // namespace

void append_encoded(std::string& out, std::string_view text) { append(out, text, kInQuery); }

void append_encoded_path(std::string& out, std::string_view key) { append(out, key, kInPath); }

}  // namespace fairlead::s3
