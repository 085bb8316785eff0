// SPDX-License-Identifier: Apache-2.0
// HtpasswdFile: users and their bcrypt hashes, as `htpasswd -B` writes them. Immutable.
//
//   # a comment
//   alice:$2y$10$...
//
// Every line is right or the file is refused whole: a user who is silently missing is found by
// nobody. What is said of a line never shows a hash.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "auth/bcrypt.h"

namespace fairlead::auth {

struct HtpasswdProblem {
  std::size_t line = 0;  // 0: the whole file
  std::string text;      // printable

  friend bool operator==(const HtpasswdProblem&, const HtpasswdProblem&) = default;
};

// "line 3: alice: ..."
std::string to_string(const HtpasswdProblem& problem);

class HtpasswdFile {
 public:
  static constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;
  static constexpr std::size_t kMaxName = 255;
  static constexpr std::size_t kMaxProblems = 20;  // the rest is not told
  static constexpr int kWeakCost = 8;              // below it: a warning

  using Parsed = std::expected<HtpasswdFile, std::vector<HtpasswdProblem>>;
  static Parsed parse(std::string_view text);
  // Blocks.
  static Parsed read(const std::string& path);

  HtpasswdFile() = default;  // without users

  // Null: there is no such user.
  [[nodiscard]] const BcryptHash* find(std::string_view user) const;
  [[nodiscard]] std::size_t size() const { return users_.size(); }

  // The cost that most users have; of no users htpasswd's advice, 10.
  [[nodiscard]] int usual_cost() const;

  [[nodiscard]] const std::vector<HtpasswdProblem>& warnings() const { return warnings_; }

 private:
  class Reader;

  std::map<std::string, BcryptHash, std::less<>> users_;
  std::vector<HtpasswdProblem> warnings_;
};

}  // namespace fairlead::auth
