// SPDX-License-Identifier: Apache-2.0
// Actions: a set of what a caller may do with a repository. Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "oci/operation.h"

namespace fairlead::auth {

class Actions {
 public:
  constexpr Actions() = default;
  constexpr Actions(std::initializer_list<oci::Action> actions) {
    for (const oci::Action action : actions) bits_ |= bit(action);
  }
  static constexpr Actions all() {
    return {oci::Action::Pull, oci::Action::Push, oci::Action::Delete};
  }

  [[nodiscard]] constexpr bool has(oci::Action action) const { return (bits_ & bit(action)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }

  friend constexpr Actions operator|(Actions a, Actions b) { return Actions(a.bits_ | b.bits_); }
  friend constexpr Actions operator&(Actions a, Actions b) { return Actions(a.bits_ & b.bits_); }
  friend constexpr Actions operator-(Actions a, Actions b) { return Actions(a.bits_ & ~b.bits_); }
  friend constexpr bool operator==(Actions, Actions) = default;

 private:
  constexpr explicit Actions(unsigned bits) : bits_(static_cast<std::uint8_t>(bits)) {}
  static constexpr std::uint8_t bit(oci::Action action) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(action));
  }

  std::uint8_t bits_ = 0;
};

// "pull", "push", "delete", or "*" for all; nullopt: none of these.
std::optional<Actions> parse_action(std::string_view word);

// "pull,push"; empty for none.
std::string to_string(Actions actions);

}  // namespace fairlead::auth
