// SPDX-License-Identifier: Apache-2.0
#include "auth/local_key.h"

#include <sodium.h>

#include <cstdlib>

#include "auth/base64url.h"

namespace fairlead::auth {

// libsodium is to be initialized before anything else of it is used, and nothing is sealed or
// opened without a key. Without it there is no good source of random bytes.
LocalKey::LocalKey() {
  static const bool is_ready = sodium_init() >= 0;
  if (!is_ready) std::abort();
}

LocalKey::LocalKey(LocalKey&& other) noexcept : bytes_(other.bytes_) {
  sodium_memzero(other.bytes_.data(), kSize);
}

LocalKey& LocalKey::operator=(LocalKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    sodium_memzero(other.bytes_.data(), kSize);
  }
  return *this;
}

LocalKey::~LocalKey() { sodium_memzero(bytes_.data(), kSize); }

LocalKey LocalKey::random() {
  LocalKey key;
  randombytes_buf(key.bytes_.data(), kSize);
  return key;
}

std::optional<LocalKey> LocalKey::parse(const Secret& hex) {
  const std::string& text = hex.reveal();
  if (text.size() != 2 * kSize) return std::nullopt;
  LocalKey key;
  std::size_t size = 0;
  const int failed =
      sodium_hex2bin(key.bytes_.data(), kSize, text.data(), text.size(), nullptr, &size, nullptr);
  if (failed != 0 || size != kSize) return std::nullopt;
  return key;
}

Secret LocalKey::hex() const {
  std::string text(2 * kSize + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_.data(), kSize);
  text.pop_back();
  return Secret(std::move(text));
}

std::string LocalKey::id() const {
  constexpr std::string_view kHeader = "k4.lid.";
  std::string whole = base64url_encode({reinterpret_cast<const char*>(bytes_.data()), kSize});
  std::array<unsigned char, 33> hash;
  crypto_generichash_state state;
  const auto update = [&state](std::string_view text) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                              text.size());
  };
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  update(kHeader);
  update("k4.local.");
  update(whole);
  crypto_generichash_final(&state, hash.data(), hash.size());
  sodium_memzero(&state, sizeof state);
  sodium_memzero(whole.data(), whole.size());
  return std::string(kHeader) +
         base64url_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

}  // namespace fairlead::auth
