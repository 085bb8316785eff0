// SPDX-License-Identifier: Apache-2.0
#include "auth/token_keys.h"

#include <algorithm>

#include "auth/paseto.h"

namespace fairlead::auth {

Result<TokenKeys> TokenKeys::parse(std::span<const Secret> keys) {
  if (keys.empty()) return internal_error(Code::InvalidArgument, "there is no token key");
  std::vector<Entry> entries;
  entries.reserve(keys.size());
  for (const Secret& hex : keys) {
    auto key = LocalKey::parse(hex);
    if (!key) {
      return internal_error(Code::InvalidArgument, "token key " +
                                                       std::to_string(entries.size() + 1) + " of " +
                                                       std::to_string(keys.size()) +
                                                       " is not 32 bytes as 64 hexadecimal digits");
    }
    std::string footer = R"({"kid":")" + key->id() + R"("})";
    entries.push_back({.key = *std::move(key), .footer = std::move(footer)});
  }
  return TokenKeys(std::move(entries));
}

std::string TokenKeys::seal(std::string_view message, std::string_view implicit) const {
  const Entry& first = entries_.front();
  return paseto::seal(first.key, message, first.footer, implicit);
}

Result<std::string> TokenKeys::open(std::string_view token, std::string_view implicit) const {
  const auto footer = paseto::footer_of(token);
  if (!footer) return std::unexpected(footer.error());
  const auto entry = std::ranges::find(entries_, *footer, &Entry::footer);
  if (entry == entries_.end()) {
    return client_error(Code::Unauthorized, "the token is of no key that is known here");
  }
  auto opened = paseto::open(entry->key, token, implicit);
  if (!opened) return std::unexpected(std::move(opened.error()));
  return std::move(opened->message);
}

}  // namespace fairlead::auth
