// SPDX-License-Identifier: Apache-2.0
#include "upstream/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstring>

#include "base/host_port.h"
#include "upstream/ascii.h"

namespace fairlead::upstream {
namespace {

namespace urls = boost::urls;

std::optional<std::uint32_t> ipv4(std::string_view host) {
  in_addr address{};
  if (::inet_aton(std::string(host).c_str(), &address) == 0) return std::nullopt;
  return ntohl(address.s_addr);
}

std::optional<std::array<std::uint8_t, 16>> ipv6(std::string_view host) {
  const std::string text(host.substr(0, host.find('%')));  // without a zone
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

bool is_internal_ipv4(std::uint32_t address) {
  const auto within = [&](std::uint32_t network, int bits) {
    return (address ^ network) >> (32 - bits) == 0;
  };
  return within(0x00000000, 8) || within(0x0a000000, 8) || within(0x64400000, 10) ||
         within(0x7f000000, 8) || within(0xa9fe0000, 16) || within(0xac100000, 12) ||
         within(0xc0a80000, 16);
}

bool is_internal_ipv6(const std::array<std::uint8_t, 16>& address) {
  const bool starts_with_zeros =
      std::all_of(address.begin(), address.begin() + 10, [](auto byte) { return byte == 0; });
  if (starts_with_zeros) {
    // ::, ::1, and IPv4 addresses in their mapped and compatible forms.
    const bool is_mapped = address[10] == 0xff && address[11] == 0xff;
    const bool is_compatible = address[10] == 0 && address[11] == 0;
    std::uint32_t low = 0;
    std::memcpy(&low, address.data() + 12, sizeof low);
    if (is_mapped || is_compatible) return is_internal_ipv4(ntohl(low));
  }
  const bool is_link_local = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
  const bool is_unique_local = (address[0] & 0xfe) == 0xfc;
  return is_link_local || is_unique_local;
}

// Boost.URL (1.81) reads http://10.0.0.1.evil.example/ as the host 10.0.0.1 and the path
// ".evil.example/". The attack: to be taken for the registry at that address, or to have a
// relative redirect lead there.
bool is_misread(const urls::url_view& view) {
  const std::string_view path(view.encoded_path().data(), view.encoded_path().size());
  return view.has_authority() && !path.empty() && !path.starts_with('/');
}

// What such a URL says.
std::optional<HostPort> misread_host(std::string_view url) {
  const std::string_view rest = url.substr(url.find("//") + 2);
  return parse_host_port(rest.substr(0, rest.find_first_of("/?#")));
}

}  // namespace

std::optional<WebOrigin> origin_of(std::string_view url) {
  if (url.size() > kMaxUrlLength) return std::nullopt;
  const auto parsed = urls::parse_uri(url);
  if (!parsed) return std::nullopt;
  const urls::url_view& view = *parsed;

  WebOrigin origin;
  origin.scheme = ascii_lower(std::string_view(view.scheme()));
  if (origin.scheme != "http" && origin.scheme != "https") return std::nullopt;
  if (!view.has_authority() || view.has_userinfo()) return std::nullopt;
  if (is_misread(view)) {
    const auto host = misread_host(url);
    if (!host) return std::nullopt;
    origin.host = host->host;
    origin.port = host->port.value_or(origin.is_https() ? 443 : 80);
    return origin.port == 0 ? std::nullopt : std::optional(origin);
  }
  origin.host = ascii_lower(view.host_address());
  // "registry.example." is the same host; what else a decoded host could hold is no name.
  if (origin.host.ends_with('.')) origin.host.pop_back();
  const bool is_clean = std::ranges::all_of(origin.host, [](char c) {
    return c > ' ' && c < 0x7f && std::strchr("/?#@\\", c) == nullptr;
  });
  if (origin.host.empty() || !is_clean) return std::nullopt;

  origin.port = origin.is_https() ? 443 : 80;
  if (const urls::string_view port = view.port(); !port.empty()) {
    const auto [end, ec] = std::from_chars(port.begin(), port.end(), origin.port);
    if (ec != std::errc() || end != port.end() || origin.port == 0) return std::nullopt;
  }
  return origin;
}

std::optional<std::string> resolve_url(std::string_view base, std::string_view reference) {
  if (reference.empty() || reference.size() > kMaxUrlLength) return std::nullopt;
  reference = reference.substr(0, reference.find('#'));
  const auto parsed = urls::parse_uri_reference(reference);
  if (!parsed || (is_misread(*parsed) && !parsed->has_scheme())) return std::nullopt;
  if (parsed->has_scheme()) return std::string(reference);

  const auto parsed_base = urls::parse_uri(base);
  if (!parsed_base || is_misread(*parsed_base)) return std::nullopt;
  urls::url resolved;
  if (!urls::resolve(*parsed_base, *parsed, resolved)) return std::nullopt;
  const urls::string_view text = resolved.buffer();
  return std::string(text.data(), text.size());
}

bool is_address(std::string_view host) { return ipv4(host) || ipv6(host); }

bool is_internal_host(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  if (const auto address = ipv4(host)) return is_internal_ipv4(*address);
  if (const auto address = ipv6(host)) return is_internal_ipv6(*address);
  return false;
}

}  // namespace fairlead::upstream
