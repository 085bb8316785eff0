// SPDX-License-Identifier: Apache-2.0
// AccessList: what a token gives, repository by repository. Pure.
//
// Names are qualified (docs/glossary.md): what a client writes after the gateway's own address.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "auth/actions.h"

namespace fairlead::auth {

// In an access list, the right to see in the catalog what one may pull. No repository is called so.
inline constexpr std::string_view kCatalogName = "_catalog";

struct Access {
  enum class Reach {
    Exact,    // the repository `name`
    Subtree,  // `name` and all below it
    All,      // every repository; `name` is empty
  };
  Reach reach = Reach::Exact;
  std::string name;
  Actions actions;
  Actions refused{};  // were asked for and not given: asking again is of no use

  [[nodiscard]] bool covers(std::string_view repository) const;

  friend bool operator==(const Access&, const Access&) = default;
};

class AccessList {
 public:
  static constexpr std::size_t kMaxEntries = 1000;

  AccessList() = default;
  explicit AccessList(std::vector<Access> entries) : entries_(std::move(entries)) {}

  // All that the entries which cover `repository` give together.
  [[nodiscard]] Actions allowed(std::string_view repository) const;

  // What was asked for it and not given.
  [[nodiscard]] Actions refused(std::string_view repository) const;

  [[nodiscard]] const std::vector<Access>& entries() const { return entries_; }

  friend bool operator==(const AccessList&, const AccessList&) = default;

 private:
  std::vector<Access> entries_;
};

}  // namespace fairlead::auth
