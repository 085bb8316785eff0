// SPDX-License-Identifier: Apache-2.0
// WWW-Authenticate: which credentials an upstream asks for (RFC 9110, 11.6.1).
//
//   WWW-Authenticate: Bearer realm="https://auth.example/token",service="registry.example",
//                     scope="repository:library/alpine:pull,push", Basic realm="example"
//
// One header may hold several challenges and one answer several headers; parameters come in any
// order, names and schemes in any case; values are tokens or quoted strings, where commas and
// backslash escapes are text. Pure; input is hostile.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fairlead::upstream {

inline constexpr std::size_t kMaxChallengeHeader =
    8 * 1024;  // bytes of one header; longer: ignored
inline constexpr std::size_t kMaxChallenges = 16;
inline constexpr std::size_t kMaxChallengeParameters = 32;

struct Challenge {
  std::string scheme;   // lower-case
  std::string token68;  // "Negotiate YII=": instead of parameters
  std::vector<std::pair<std::string, std::string>> parameters;  // names lower-case, values decoded

  // The first parameter of that name (lower-case); empty when absent.
  [[nodiscard]] std::string_view parameter(std::string_view name) const;
};

// The challenges of one header value, as far as it is well-formed.
std::vector<Challenge> parse_challenges(std::string_view header);

// The one to answer, of all headers: the first Bearer that names a realm, else the first Basic. A
// token shows the registry less than a password.
std::optional<Challenge> choose_challenge(const std::vector<std::string>& headers);

}  // namespace fairlead::upstream
