// SPDX-License-Identifier: Apache-2.0
#include "auth/actions.h"

namespace fairlead::auth {
namespace {

constexpr std::initializer_list<oci::Action> kEach = {oci::Action::Pull, oci::Action::Push,
                                                      oci::Action::Delete};

}  // namespace

std::optional<Actions> parse_action(std::string_view word) {
  if (word == "*") return Actions::all();
  for (const oci::Action action : kEach) {
    if (word == oci::to_string(action)) return Actions{action};
  }
  return std::nullopt;
}

std::string to_string(Actions actions) {
  std::string text;
  for (const oci::Action action : kEach) {
    if (!actions.has(action)) continue;
    if (!text.empty()) text += ',';
    text += oci::to_string(action);
  }
  return text;
}

}  // namespace fairlead::auth
