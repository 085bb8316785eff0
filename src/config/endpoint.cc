// SPDX-License-Identifier: Apache-2.0
#include "config/endpoint.h"

#include <sys/un.h>

#include <algorithm>
#include <array>

#include "base/ip_address.h"

namespace fairlead::config {
namespace {

using std::unexpected;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return lower(c); });
  return out;
}

}  // namespace

bool is_loopback(std::string_view host) {
  const auto address = IpAddress::parse(host);
  if (!address) return host == "localhost";
  return address->is_v6 ? address->str() == "::1" : address->bytes[0] == 127;
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
