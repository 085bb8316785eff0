// SPDX-License-Identifier: Apache-2.0
// TokenKeys: the keys that our own tokens are sealed and opened with. The first seals, all open: a
// new key is put in front, and the old one removed when no token of it is left.
//
// A token says in its footer which key it is of: {"kid":"k4.lid...."}, exactly as it is written
// here. What says anything else is refused before any of it is looked at.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/local_key.h"
#include "base/error.h"
#include "base/secret.h"

namespace fairlead::auth {

// Thread-safe once made.
class TokenKeys {
 public:
  // Each 64 hexadecimal digits. Errors: InvalidArgument, for none or one that is not; the reason
  // shows nothing of it.
  static Result<TokenKeys> parse(std::span<const Secret> keys);

  [[nodiscard]] std::string seal(std::string_view message, std::string_view implicit) const;

  // The message. Errors: client's Unauthorized.
  [[nodiscard]] Result<std::string> open(std::string_view token, std::string_view implicit) const;

 private:
  struct Entry {
    LocalKey key;
    std::string footer;
  };

  explicit TokenKeys(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  std::vector<Entry> entries_;  // not empty
};

}  // namespace fairlead::auth
