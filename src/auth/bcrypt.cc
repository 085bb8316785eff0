// SPDX-License-Identifier: Apache-2.0
#include "auth/bcrypt.h"

#include <crypt.h>

#include <algorithm>
#include <memory>
#include <string>

namespace fairlead::auth {
namespace {

constexpr std::size_t kSettingSize = 7 + 22;  // "$2y$10$" and the salt
constexpr std::size_t kSize = kSettingSize + 31;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_base64(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
}

// In a time that only the sizes decide.
bool are_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

}  // namespace

std::optional<BcryptHash> BcryptHash::parse(std::string_view text) {
  const bool is_form = text.size() == kSize && text.starts_with("$2") &&
                       std::string_view("aby").contains(text[2]) && text[3] == '$' &&
                       is_digit(text[4]) && is_digit(text[5]) && text[6] == '$' &&
                       std::ranges::all_of(text.substr(7), is_base64);
  if (!is_form) return std::nullopt;
  const int cost = (text[4] - '0') * 10 + (text[5] - '0');
  if (cost < kMinCost || cost > kMaxCost) return std::nullopt;
  return BcryptHash(Secret(std::string(text)), cost);
}

BcryptHash BcryptHash::of_nobody(int cost) {
  const int within = std::clamp(cost, kMinCost, kMaxCost);
  const std::string digits{static_cast<char>('0' + within / 10),
                           static_cast<char>('0' + within % 10)};
  return {Secret("$2y$" + digits + "$" + std::string(kSize - 7, '.')), within};
}

bool BcryptHash::can_check(const Secret& password) {
  return password.reveal().size() <= kMaxPassword && !password.reveal().contains('\0');
}

bool BcryptHash::matches(const Secret& password) const {
  if (!can_check(password)) return false;
  const auto scratch = std::make_unique<crypt_data>();  // 32 KiB
  const char* made = ::crypt_r(password.reveal().c_str(), text_.reveal().c_str(), scratch.get());
  if (made == nullptr) return false;
  const std::string_view result(made);
  // The last character of a salt has bits that mean nothing, and that crypt_r() clears.
  return result.size() == kSize && are_equal(result.substr(kSettingSize),
                                             std::string_view(text_.reveal()).substr(kSettingSize));
}

}  // namespace fairlead::auth
