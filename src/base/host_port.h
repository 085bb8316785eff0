// SPDX-License-Identifier: Apache-2.0
// HostPort: a host and perhaps a port, as people, URLs and Host fields write them. Pure; no name
// is looked up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead {

struct HostPort {
  std::string host;  // lower case; an IPv6 address without its brackets
  std::optional<std::uint16_t> port;
};

// "registry.example.com", "registry.example.com:5000", "10.0.0.1:80", "[::1]:80". nullopt: neither
// a DNS name nor an address, or a port that is none.
std::optional<HostPort> parse_host_port(std::string_view text);

// As it was written, in lower case.
std::string to_string(const HostPort& endpoint);

}  // namespace fairlead
