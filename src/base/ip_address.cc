// SPDX-License-Identifier: Apache-2.0
#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <span>

namespace fairlead {
namespace {

constexpr int kV4Bits = 32;
constexpr int kV6Bits = 128;
constexpr int kMappedBits = 96;  // ::ffff:0:0/96
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kMaxText = INET6_ADDRSTRLEN - 1;
constexpr int kClientBits = 64;

// As it is written: an IPv4 address in IPv6 form is still IPv6.
std::optional<IpAddress> parse_as_written(std::string_view text) {
  if (text.size() > kMaxText || text.contains('\0')) return std::nullopt;
  const std::string copy(text);
  IpAddress out{.is_v6 = text.contains(':')};
  const int family = out.is_v6 ? AF_INET6 : AF_INET;
  if (::inet_pton(family, copy.c_str(), out.bytes.data()) != 1) return std::nullopt;
  return out;
}

bool is_mapped(const IpAddress& address) {
  return address.is_v6 &&
         std::ranges::equal(kMapped, std::span(address.bytes).first(kMapped.size()));
}

IpAddress unmapped(const IpAddress& address) {
  IpAddress out;
  std::copy_n(address.bytes.begin() + kMapped.size(), 4, out.bytes.begin());
  return out;
}

// The bits behind `prefix` become 0.
IpAddress masked(IpAddress address, int prefix) {
  for (int i = 0; i < static_cast<int>(address.bytes.size()); ++i) {
    const int kept = std::clamp(prefix - 8 * i, 0, 8);
    auto& byte = address.bytes[static_cast<std::size_t>(i)];
    byte = static_cast<std::uint8_t>(byte & (0xff00U >> static_cast<unsigned>(kept)));
  }
  return address;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, is_digit);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const auto parsed = parse_as_written(text);
  return parsed && is_mapped(*parsed) ? unmapped(*parsed) : parsed;
}

std::string IpAddress::str() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
  return text.data();
}

std::expected<IpNetwork, std::string> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  auto address = parse_as_written(text.substr(0, slash));
  if (!address) return std::unexpected("is no address or network (10.0.0.0/8, ::1)");
  int prefix = address->is_v6 ? kV6Bits : kV4Bits;
  if (slash != text.size()) {
    const std::string_view bits = text.substr(slash + 1);
    int given = 0;
    const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), given);
    const bool is_number = error == std::errc{} && end == bits.data() + bits.size() &&
                           bits.size() <= 3 && std::ranges::all_of(bits, is_digit);
    if (!is_number || given > prefix) {
      return std::unexpected("has no prefix from 0 to " + std::to_string(prefix) +
                             " behind its slash");
    }
    prefix = given;
  }
  if (is_mapped(*address) && prefix >= kMappedBits) {
    address = unmapped(*address);
    prefix -= kMappedBits;
  }
  const IpAddress first = masked(*address, prefix);
  if (first != *address) {
    return std::unexpected("is an address within a network: write " + first.str() + "/" +
                           std::to_string(prefix));
  }
  return IpNetwork{.address = first, .prefix = prefix};
}

bool IpNetwork::contains(const IpAddress& other) const {
  return other.is_v6 == address.is_v6 && masked(other, prefix) == address;
}

std::optional<IpAddress> address_of_peer(std::string_view peer) {
  if (peer.starts_with('[')) {
    const std::size_t close = peer.find(']');
    if (close == peer.npos) return std::nullopt;
    const std::string_view rest = peer.substr(close + 1);
    const std::string_view inner = peer.substr(1, close - 1);
    if (!inner.contains(':')) return std::nullopt;
    if (!rest.empty() && !(rest.starts_with(':') && is_port(rest.substr(1)))) return std::nullopt;
    return IpAddress::parse(inner);
  }
  const std::size_t colon = peer.find(':');
  if (colon != peer.npos && peer.find(':', colon + 1) == peer.npos) {
    if (!is_port(peer.substr(colon + 1))) return std::nullopt;
    peer = peer.substr(0, colon);
  }
  return IpAddress::parse(peer);
}

std::string client_network(std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return std::string(address);
  if (!parsed->is_v6) return parsed->str();
  return masked(*parsed, kClientBits).str() + "/" + std::to_string(kClientBits);
}

}  // namespace fairlead
