// SPDX-License-Identifier: Apache-2.0
// IpAddress and IpNetwork: addresses as numbers, so that one is the same however it is written.
// Pure; no name is looked up.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead {

// An IPv4 address that is written as IPv6 ("::ffff:10.0.0.1") is the IPv4 address.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // of IPv4 the first four
  bool is_v6 = false;

  // "10.0.0.1", "2001:db8::1"; no brackets, port or zone.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] std::string str() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct IpNetwork {
  IpAddress address;  // no bit behind the prefix is set
  int prefix = 0;     // bits

  // "10.0.0.0/8", "2001:db8::/32", or an address, which is a network of one. The error is what is
  // wrong, to be read after the text.
  static std::expected<IpNetwork, std::string> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;
};

// The address of a peer as sockets are called: "10.0.0.1" of "10.0.0.1:5555", "::1" of
// "[::1]:5555"; also without a port. nullopt: "unix" and all else.
std::optional<IpAddress> address_of_peer(std::string_view peer);

// What one client is when clients are counted: an IPv4 address, or of IPv6 the network of 64 bits,
// since whoever has one address there has all of them (the attack: a fresh one for every try).
// What is no address ("unix") stands for itself.
std::string client_network(std::string_view address);

}  // namespace fairlead
