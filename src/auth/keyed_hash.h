// SPDX-License-Identifier: Apache-2.0
// KeyedHash: a 128-bit fingerprint of a secret, under a key that only this object knows.
//
// What is looked up by it never lies in a table in the clear, and how long a lookup takes tells
// nothing: whoever does not know the key cannot choose what two texts' fingerprints have in common.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string_view>

namespace fairlead::auth {

using Fingerprint = std::array<unsigned char, 16>;

// Thread-safe once made.
class KeyedHash {
 public:
  KeyedHash();  // with a random key

  // SipHash-2-4 with 128 bits; about a nanosecond a byte; allocates nothing.
  [[nodiscard]] Fingerprint of(std::string_view text) const;

 private:
  std::array<unsigned char, 16> key_{};
};

// In constant time.
[[nodiscard]] bool are_equal(const Fingerprint& a, const Fingerprint& b);

// For unordered maps: the fingerprint is as good as random already.
struct FingerprintHash {
  std::size_t operator()(const Fingerprint& fingerprint) const {
    std::size_t value = 0;
    std::memcpy(&value, fingerprint.data(), sizeof value);
    return value;
  }
};

}  // namespace fairlead::auth
