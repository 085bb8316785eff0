// SPDX-License-Identifier: Apache-2.0
// What the rules about credentials and redirects need to know of a URL. Pure; input is hostile.
// Boost.URL's one home.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::upstream {

inline constexpr std::size_t kMaxUrlLength = 16 * 1024;  // signed locations reach 4 KiB

// Scheme, host and port together (RFC 6454): what credentials belong to.
struct WebOrigin {
  std::string scheme;      // "http" or "https"
  std::string host;        // lower-case; an IPv6 address without brackets
  std::uint16_t port = 0;  // the scheme's default when the URL names none

  [[nodiscard]] bool is_https() const { return scheme == "https"; }
  friend bool operator==(const WebOrigin&, const WebOrigin&) = default;
};

// nullopt unless `url` is an absolute http or https URL with a host and without user information
// (the attack: https://registry.example@evil.example/ looks like the one and is the other).
std::optional<WebOrigin> origin_of(std::string_view url);

// `reference` (RFC 3986, 4.1) as seen from `base`, without fragment. An absolute reference stays
// byte for byte: a signature covers it. nullopt when either is not a URL.
std::optional<std::string> resolve_url(std::string_view base, std::string_view reference);

// An IP address, in any form that a resolver would take for one ("127.1", "0x7f000001").
[[nodiscard]] bool is_address(std::string_view host);

// localhost, or an address that is loopback, private, link-local or unspecified. Names are not
// looked up.
[[nodiscard]] bool is_internal_host(std::string_view host);

}  // namespace fairlead::upstream
