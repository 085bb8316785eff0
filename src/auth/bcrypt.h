// SPDX-License-Identifier: Apache-2.0
// BcryptHash: what is kept of a password, in the form of crypt(5).
//
//   $2y$10$NlIhHcXyAx3qXYOMOhvBLOX2v8R1T0lW5OtLBNd0Sz0n.YxhnV4Fm
//       ^^ ^-- salt, 22 ---------^-- hash, 31 ------------------
//       cost: 2^10 rounds; slow on purpose
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/secret.h"

namespace fairlead::auth {

class BcryptHash {
 public:
  static constexpr int kMinCost = 4;
  static constexpr int kMaxCost = 17;              // about ten seconds; also htpasswd's limit
  static constexpr std::size_t kMaxPassword = 72;  // bytes

  // Of `text`, $2a$, $2b$ or $2y$. $2x$ is not among them: it is the mark of hashes by a broken
  // implementation, of which one fits to several passwords.
  static std::optional<BcryptHash> parse(std::string_view text);

  // One that takes as long as others of this cost and is nobody's.
  static BcryptHash of_nobody(int cost);

  // Whether bcrypt can tell `password` from others: it reads 72 bytes and ends at a NUL (the
  // attack: the right password and anything behind it). Of any other, matches() is false at once.
  static bool can_check(const Secret& password);

  // Computes for as long as the cost says: not on a worker's thread. Any thread otherwise.
  [[nodiscard]] bool matches(const Secret& password) const;

  [[nodiscard]] int cost() const { return cost_; }
  [[nodiscard]] const Secret& text() const { return text_; }

 private:
  BcryptHash(Secret text, int cost) : text_(std::move(text)), cost_(cost) {}

  Secret text_;
  int cost_;
};

}  // namespace fairlead::auth
