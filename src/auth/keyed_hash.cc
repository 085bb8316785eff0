// SPDX-License-Identifier: Apache-2.0
#include "auth/keyed_hash.h"

#include <sodium.h>

#include <tuple>

namespace fairlead::auth {

static_assert(crypto_shorthash_siphashx24_BYTES == std::tuple_size_v<Fingerprint>);

KeyedHash::KeyedHash() {
  std::ignore = sodium_init();
  static_assert(crypto_shorthash_siphashx24_KEYBYTES == sizeof key_);
  randombytes_buf(key_.data(), key_.size());
}

Fingerprint KeyedHash::of(std::string_view text) const {
  Fingerprint fingerprint;
  crypto_shorthash_siphashx24(fingerprint.data(),
                              reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                              key_.data());
  return fingerprint;
}

bool are_equal(const Fingerprint& a, const Fingerprint& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fairlead::auth
