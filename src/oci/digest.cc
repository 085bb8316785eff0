// SPDX-License-Identifier: Apache-2.0
#include "oci/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace fairlead::oci {
namespace {

constexpr std::size_t hex_length(DigestAlgorithm algorithm) {
  return algorithm == DigestAlgorithm::Sha256 ? 64 : 128;
}

constexpr bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// OpenSSL's hash functions fail only without memory or without their algorithms: nothing that a
// gateway whose duty is to verify could carry on with.
void require(bool is_ok) {
  if (is_ok) return;
  std::fputs("fatal: OpenSSL cannot hash\n", stderr);
  std::abort();
}

// Looked up once: the lookup costs as much as hashing a kilobyte.
const EVP_MD* implementation(DigestAlgorithm algorithm) {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  return algorithm == DigestAlgorithm::Sha256 ? sha256 : sha512;
}

}  // namespace

std::string_view to_string(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::Sha256:
      return "sha256";
    case DigestAlgorithm::Sha512:
      return "sha512";
  }
  std::abort();
}

std::optional<Digest> Digest::parse(std::string_view text) {
  for (const auto algorithm : {DigestAlgorithm::Sha256, DigestAlgorithm::Sha512}) {
    const std::string_view name = to_string(algorithm);
    if (!text.starts_with(name) || !text.substr(name.size()).starts_with(':')) continue;
    const std::string_view hex = text.substr(name.size() + 1);
    if (hex.size() != hex_length(algorithm)) return std::nullopt;
    if (!std::ranges::all_of(hex, is_lower_hex)) return std::nullopt;
    return Digest(algorithm, std::string(text));
  }
  return std::nullopt;
}

std::string_view Digest::hex() const {
  return std::string_view(text_).substr(text_.size() - hex_length(algorithm_));
}

struct Hasher::State {
  State() : context(EVP_MD_CTX_new()) { require(context != nullptr); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Hasher::Hasher(DigestAlgorithm algorithm)
    : algorithm_(algorithm), state_(std::make_unique<State>()) {
  require(EVP_DigestInit_ex2(state_->context, implementation(algorithm), nullptr) == 1);
}

Hasher::Hasher(DigestAlgorithm algorithm, std::unique_ptr<State> state)
    : algorithm_(algorithm), state_(std::move(state)) {}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(ByteView bytes) {
  require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Hasher Hasher::clone() const {
  auto copy = std::make_unique<State>();
  require(EVP_MD_CTX_copy_ex(copy->context, state_->context) == 1);
  return Hasher(algorithm_, std::move(copy));
}

Digest Hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned length = 0;
  require(EVP_DigestFinal_ex(state_->context, hash.data(), &length) == 1);
  require(2 * std::size_t{length} == hex_length(algorithm_));

  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text(to_string(algorithm_));
  text.reserve(text.size() + 1 + 2 * length);
  text += ':';
  for (unsigned i = 0; i < length; ++i) {
    text += kHex[hash[i] >> 4];
    text += kHex[hash[i] & 0xf];
  }
  return Digest(algorithm_, std::move(text));
}

Digest digest_of(DigestAlgorithm algorithm, ByteView bytes) {
  Hasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace fairlead::oci
