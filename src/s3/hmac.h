// SPDX-License-Identifier: Apache-2.0
// SHA-256 and HMAC-SHA-256 (RFC 2104), for signing. The one place of OpenSSL in this module.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace fairlead::s3 {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view text);

// 64 lower-case digits.
void append_hex(std::string& out, const Sha256& hash);

// The bytes, as the key of the next HMAC.
inline std::string_view as_key(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// A key, its two blocks hashed once: each use copies that state. Thread-safe.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  ~HmacSha256();
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;

  [[nodiscard]] Sha256 of(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace fairlead::s3
