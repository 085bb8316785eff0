// SPDX-License-Identifier: Apache-2.0
// LocalKey: the 32 bytes that seal and open PASETO v4.local tokens, and its PASERK id.
// Wiped when it ends, and wherever it was moved away from.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace fairlead::auth {

class LocalKey {
 public:
  static constexpr std::size_t kSize = 32;

  static LocalKey random();

  // 64 hexadecimal digits and nothing else; nullopt otherwise.
  static std::optional<LocalKey> parse(const Secret& hex);

  LocalKey(LocalKey&& other) noexcept;
  LocalKey& operator=(LocalKey&& other) noexcept;
  LocalKey(const LocalKey&) = delete;
  LocalKey& operator=(const LocalKey&) = delete;
  ~LocalKey();

  [[nodiscard]] std::span<const unsigned char, kSize> bytes() const { return bytes_; }

  // As parse() reads it; lower case.
  [[nodiscard]] Secret hex() const;

  // "k4.lid." and 44 characters: a hash that names the key and shows nothing of it (PASERK, "ID").
  [[nodiscard]] std::string id() const;

 private:
  LocalKey();

  std::array<unsigned char, kSize> bytes_{};
};

}  // namespace fairlead::auth
