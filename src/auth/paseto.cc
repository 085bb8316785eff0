// SPDX-License-Identifier: Apache-2.0
#include "auth/paseto.h"

#include <sodium.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

#include "auth/base64url.h"

namespace fairlead::auth::paseto {
namespace {

constexpr std::size_t kMacSize = 32;

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view as_text(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What encrypts and authenticates one token.
struct TokenKey {
  std::array<unsigned char, crypto_stream_xchacha20_KEYBYTES> encryption;
  std::array<unsigned char, crypto_stream_xchacha20_NONCEBYTES> nonce;
  std::array<unsigned char, 32> authentication;

  TokenKey(const LocalKey& key, std::string_view token_nonce);
  TokenKey(const TokenKey&) = delete;
  TokenKey& operator=(const TokenKey&) = delete;
  ~TokenKey() { sodium_memzero(this, sizeof *this); }
};

// BLAKE2b of both texts under `key`.
void derive(std::span<unsigned char> out, const LocalKey& key, std::string_view purpose,
            std::string_view nonce) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.bytes().data(), key.bytes().size(), out.size());
  crypto_generichash_update(&state, as_bytes(purpose), purpose.size());
  crypto_generichash_update(&state, as_bytes(nonce), nonce.size());
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
}

TokenKey::TokenKey(const LocalKey& key, std::string_view token_nonce) {
  std::array<unsigned char, sizeof encryption + sizeof nonce> both;
  derive(both, key, "paseto-encryption-key", token_nonce);
  const auto end = both.begin() + sizeof encryption;
  std::copy(both.begin(), end, encryption.begin());
  std::copy(end, both.end(), nonce.begin());
  sodium_memzero(both.data(), both.size());
  derive(authentication, key, "paseto-auth-key-for-aead", token_nonce);
}

// The same bytes both ways.
std::string encrypt(const TokenKey& key, std::string_view text) {
  std::string out(text.size(), '\0');
  crypto_stream_xchacha20_xor(reinterpret_cast<unsigned char*>(out.data()), as_bytes(text),
                              text.size(), key.nonce.data(), key.encryption.data());
  return out;
}

// Pre-authentication encoding: numbers are 64 bits, least first. The attack: pieces that are put
// together without their lengths can be cut elsewhere, "ab" "c" as "a" "bc".
void append_number(std::string& out, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>((number >> shift) & 0xff);
}

std::string encode(std::initializer_list<std::string_view> pieces) {
  std::string out;
  append_number(out, pieces.size());
  for (const std::string_view piece : pieces) {
    append_number(out, piece.size());
    out += piece;
  }
  return out;
}

std::array<unsigned char, kMacSize> authenticate(const TokenKey& key, std::string_view nonce,
                                                 std::string_view ciphertext,
                                                 std::string_view footer,
                                                 std::string_view implicit) {
  const std::string text = encode({kHeader, nonce, ciphertext, footer, implicit});
  std::array<unsigned char, kMacSize> mac;
  crypto_generichash(mac.data(), mac.size(), as_bytes(text), text.size(), key.authentication.data(),
                     key.authentication.size());
  return mac;
}

std::unexpected<Error> refused(std::string reason) {
  return client_error(Code::Unauthorized, std::move(reason));
}

// Both parts as they are written, without the header.
struct Parts {
  std::string_view body;
  std::string_view footer;
};

std::optional<Parts> split(std::string_view token) {
  if (token.size() > kMaxToken || !token.starts_with(kHeader)) return std::nullopt;
  token.remove_prefix(kHeader.size());
  const std::size_t dot = token.find('.');
  if (dot == token.npos) return Parts{.body = token, .footer = {}};
  const Parts parts{.body = token.substr(0, dot), .footer = token.substr(dot + 1)};
  // The attack: a dot behind it made another token of the same.
  if (parts.footer.empty()) return std::nullopt;
  return parts;
}

}  // namespace

std::string seal(const LocalKey& key, std::string_view message, std::string_view footer,
                 std::string_view implicit) {
  Nonce nonce;
  randombytes_buf(nonce.data(), nonce.size());
  return seal_with_nonce(key, nonce, message, footer, implicit);
}

std::string seal_with_nonce(const LocalKey& key, const Nonce& nonce, std::string_view message,
                            std::string_view footer, std::string_view implicit) {
  const TokenKey token_key(key, as_text(nonce));
  std::string body(as_text(nonce));
  const std::string ciphertext = encrypt(token_key, message);
  body += ciphertext;
  body += as_text(authenticate(token_key, as_text(nonce), ciphertext, footer, implicit));
  std::string token(kHeader);
  token += base64url_encode(body);
  if (!footer.empty()) token += "." + base64url_encode(footer);
  return token;
}

Result<Opened> open(const LocalKey& key, std::string_view token, std::string_view implicit) {
  const auto parts = split(token);
  const auto body = parts ? base64url_decode(parts->body) : std::nullopt;
  auto footer = parts ? base64url_decode(parts->footer) : std::nullopt;
  if (!body || !footer || body->size() < sizeof(Nonce) + kMacSize) {
    return refused("the token is malformed");
  }
  const std::string_view whole = *body;
  const std::string_view nonce = whole.substr(0, sizeof(Nonce));
  const std::string_view mac = whole.substr(whole.size() - kMacSize);
  const std::string_view ciphertext =
      whole.substr(sizeof(Nonce), whole.size() - sizeof(Nonce) - kMacSize);

  const TokenKey token_key(key, nonce);
  const auto expected = authenticate(token_key, nonce, ciphertext, *footer, implicit);
  // In constant time. The attack: how long comparing takes tells how much of a forged one is right.
  if (sodium_memcmp(expected.data(), mac.data(), kMacSize) != 0) {
    return refused("the token was not made with the key that it names, or was changed");
  }
  return Opened{.message = encrypt(token_key, ciphertext), .footer = *std::move(footer)};
}

Result<std::string> footer_of(std::string_view token) {
  const auto parts = split(token);
  auto footer = parts ? base64url_decode(parts->footer) : std::nullopt;
  if (!footer) return refused("the token is malformed");
  return *std::move(footer);
}

}  // namespace fairlead::auth::paseto
