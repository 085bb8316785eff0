// SPDX-License-Identifier: Apache-2.0
#include "s3/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace fairlead::s3 {
namespace {

constexpr std::size_t kBlock = 64;  // of SHA-256

// OpenSSL's hash functions fail only without memory or without their algorithms.
void require(bool is_ok) {
  if (is_ok) return;
  std::fputs("fatal: OpenSSL cannot hash\n", stderr);
  std::abort();
}

// Looked up once: the lookup costs as much as hashing a kilobyte.
const EVP_MD* implementation() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return md;
}

struct Context {
  Context() : md(EVP_MD_CTX_new()) { require(md != nullptr); }
  ~Context() { EVP_MD_CTX_free(md); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void begin() { require(EVP_DigestInit_ex2(md, implementation(), nullptr) == 1); }
  void begin_as(const Context& other) { require(EVP_MD_CTX_copy_ex(md, other.md) == 1); }
  void update(const void* data, std::size_t size) {
    require(EVP_DigestUpdate(md, data, size) == 1);
  }
  Sha256 finish() {
    Sha256 hash;
    unsigned length = 0;
    require(EVP_DigestFinal_ex(md, hash.data(), &length) == 1 && length == hash.size());
    return hash;
  }

  EVP_MD_CTX* md;
};

// To work in: making a context costs more than hashing a canonical request.
Context& scratch() {
  thread_local Context context;
  return context;
}

}  // namespace

Sha256 sha256(std::string_view text) {
  Context& context = scratch();
  context.begin();
  context.update(text.data(), text.size());
  return context.finish();
}

void append_hex(std::string& out, const Sha256& hash) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const unsigned char byte : hash) {
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
}

struct HmacSha256::State {
  Context inner;
  Context outer;
};

HmacSha256::HmacSha256(std::string_view key) {
  std::array<unsigned char, kBlock> block{};
  if (key.size() > kBlock) {
    const Sha256 hash = sha256(key);
    std::ranges::copy(hash, block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  auto state = std::make_unique<State>();
  for (auto& byte : block) byte ^= 0x36;
  state->inner.begin();
  state->inner.update(block.data(), block.size());
  for (auto& byte : block) byte ^= 0x36 ^ 0x5c;
  state->outer.begin();
  state->outer.update(block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
  state_ = std::move(state);
}

HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;

Sha256 HmacSha256::of(std::string_view text) const {
  Context& context = scratch();
  context.begin_as(state_->inner);
  context.update(text.data(), text.size());
  const Sha256 inner = context.finish();
  context.begin_as(state_->outer);
  context.update(inner.data(), inner.size());
  return context.finish();
}

}  // namespace fairlead::s3
