// SPDX-License-Identifier: Apache-2.0
#include "config/endpoint.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>

namespace fairlead::config {
namespace {

using std::unexpected;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
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
    if (!is_ipv6(out.host)) return std::nullopt;
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    out.host = lower(text.substr(0, colon));
    rest = text.substr(colon);
    const bool valid = is_numeric(out.host) ? is_ipv4(out.host) : is_dns_name(out.host);
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

bool is_loopback(std::string_view host) {
  const std::string text(host);
  if (is_ipv4(text)) return text.starts_with("127.");
  in6_addr address{};
  if (inet_pton(AF_INET6, text.c_str(), &address) == 1) return IN6_IS_ADDR_LOOPBACK(&address);
  return text == "localhost";
}

std::expected<ListenAddress, std::string> parse_listen(std::string_view text) {
  if (text.starts_with("unix:")) {
    const auto path = text.substr(5);
    if (!path.starts_with('/')) return unexpected("needs an absolute path after unix:");
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
      return unexpected("is longer than the path of a socket may be");
    }
    return ListenAddress{.text = std::string(text), .local = true};
  }
  const auto endpoint = parse_host_port(text);
  if (!endpoint || !endpoint->port) {
    return unexpected("needs the form host:port, [v6]:port or unix:/path");
  }
  return ListenAddress{.text = to_string(*endpoint),
                       .local = is_loopback(endpoint->host),
                       .any_port = *endpoint->port == 0};
}

std::expected<BaseUrl, std::string> parse_base_url(std::string_view text) {
  const auto scheme_end = text.find("://");
  const std::string scheme = lower(text.substr(0, std::min(scheme_end, text.size())));
  if (scheme_end == text.npos || (scheme != "https" && scheme != "http")) {
    return unexpected("needs the form https://host or http://host");
  }
  std::string_view authority = text.substr(scheme_end + 3);
  if (authority.contains('@')) {
    return unexpected("must not hold a user name or password: use username and password");
  }
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.find_first_of("/?#") != authority.npos) {
    return unexpected("must end after the host and port: no path, query or fragment");
  }
  const auto endpoint = parse_host_port(authority);
  if (!endpoint || endpoint->port == 0) return unexpected("has no valid host and port");
  return BaseUrl{.text = scheme + "://" + to_string(*endpoint), .encrypted = scheme == "https"};
}

std::expected<std::string, std::string> parse_proxy(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kSchemes{"http", "https", "socks5", "socks5h"};
  const auto scheme_end = text.find("://");
  const std::string scheme = lower(text.substr(0, std::min(scheme_end, text.size())));
  if (scheme_end == text.npos || std::ranges::count(kSchemes, scheme) == 0) {
    return unexpected("needs the form http://host:port (or https, socks5, socks5h)");
  }
  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto at = rest.rfind('@');
  const std::string_view user = at == rest.npos ? "" : rest.substr(0, at + 1);
  const auto endpoint = parse_host_port(rest.substr(user.size()));
  if (user.find_first_of("/?# ") != user.npos || !endpoint || endpoint->port == 0) {
    return unexpected("has no valid host and port");
  }
  return scheme + "://" + std::string(user) + to_string(*endpoint);
}

}  // namespace fairlead::config
