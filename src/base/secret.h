// SPDX-License-Identifier: Apache-2.0
// Secret: a password, key or token. It has no conversion to text and no printer, so it
// cannot reach a log line or an error by accident; reveal() marks each place that needs it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace fairlead {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }

  // What to show in its place.
  static constexpr std::string_view kRedacted = "[redacted]";

  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace fairlead
