// SPDX-License-Identifier: Apache-2.0
// Digest: `algorithm:hex`, the name of content. sha256 and sha512, lower-case hex of exact length
// (OCI image-spec, descriptor.md#digests). A Digest that exists is valid: it may become a path or
// a key.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace fairlead::oci {

enum class DigestAlgorithm { Sha256, Sha512 };

std::string_view to_string(DigestAlgorithm algorithm);

class Digest {
 public:
  static std::optional<Digest> parse(std::string_view text);

  [[nodiscard]] DigestAlgorithm algorithm() const { return algorithm_; }
  [[nodiscard]] const std::string& str() const { return text_; }  // "sha256:ab..."
  [[nodiscard]] std::string_view hex() const;

  friend bool operator==(const Digest& a, const Digest& b) { return a.text_ == b.text_; }
  friend auto operator<=>(const Digest& a, const Digest& b) { return a.text_ <=> b.text_; }

 private:
  friend class Hasher;
  Digest(DigestAlgorithm algorithm, std::string text)
      : algorithm_(algorithm), text_(std::move(text)) {}

  DigestAlgorithm algorithm_;
  std::string text_;
};

// Hashes content piece by piece. Movable; clone() continues from the same state independently.
class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(ByteView bytes);
  [[nodiscard]] Hasher clone() const;

  // The digest of all bytes so far. Once only.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  Hasher(DigestAlgorithm algorithm, std::unique_ptr<State> state);
  DigestAlgorithm algorithm_;
  std::unique_ptr<State> state_;
};

[[nodiscard]] Digest digest_of(DigestAlgorithm algorithm, ByteView bytes);

}  // namespace fairlead::oci

template <>
struct std::hash<fairlead::oci::Digest> {
  std::size_t operator()(const fairlead::oci::Digest& digest) const noexcept {
    return std::hash<std::string>{}(digest.str());
  }
};
