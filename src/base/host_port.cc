// SPDX-License-Identifier: Apache-2.0
#include "base/host_port.h"

#include <algorithm>
#include <charconv>
#include <ranges>

#include "base/ip_address.h"

namespace fairlead {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

// Underscores are no part of DNS host names, but container networks have them.
bool is_dns_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  return std::ranges::all_of(std::views::split(text, '.'), [](auto part) {
    const std::string_view label(part);
    const auto allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
    };
    return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, allowed) &&
           label.front() != '-' && label.back() != '-';
  });
}

// Only digits and dots: an address or a mistake, never a name.
bool is_numeric(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{}) return std::nullopt;
  return port;
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == text.npos) return std::nullopt;
    out.host = lower(text.substr(1, close - 1));
    rest = text.substr(close + 1);
    if (!out.host.contains(':') || !IpAddress::parse(out.host)) return std::nullopt;
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    out.host = lower(text.substr(0, colon));
    rest = text.substr(colon);
    const bool valid =
        is_numeric(out.host) ? IpAddress::parse(out.host).has_value() : is_dns_name(out.host);
    if (!valid) return std::nullopt;
  }
  if (rest.empty()) return out;
  if (!rest.starts_with(':')) return std::nullopt;
  out.port = parse_port(rest.substr(1));
  if (!out.port) return std::nullopt;
  return out;
}

std::string to_string(const HostPort& endpoint) {
  const bool v6 = endpoint.host.contains(':');
  std::string out = v6 ? "[" + endpoint.host + "]" : endpoint.host;
  if (endpoint.port) out += ":" + std::to_string(*endpoint.port);
  return out;
}

}  // namespace fairlead
