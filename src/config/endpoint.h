// SPDX-License-Identifier: Apache-2.0
// Endpoints as they are written in a configuration: addresses to listen on, base URLs of
// registries, proxies, host names. Pure; no name is looked up.
//
// An error is what is wrong, to be read after the key. It never quotes the text: a URL may hold a
// password, above all where none is allowed.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/host_port.h"

namespace fairlead::config {

using fairlead::HostPort;
using fairlead::parse_host_port;

// 127.0.0.0/8, ::1 and "localhost".
bool is_loopback(std::string_view host);

struct ListenAddress {
  std::string text;       // "127.0.0.1:5000", "[::1]:5000", "unix:/run/fairlead.sock"
  bool local = false;     // only this machine reaches it
  bool any_port = false;  // port 0: the system chooses
};
std::expected<ListenAddress, std::string> parse_listen(std::string_view text);

struct BaseUrl {
  std::string text;  // "https://registry.example.com:5000", lower case, no trailing slash
  bool encrypted = false;
};
std::expected<BaseUrl, std::string> parse_base_url(std::string_view text);

// "http://proxy.example.com:3128", "socks5h://user:password@[::1]:1080": what libcurl takes.
std::expected<std::string, std::string> parse_proxy(std::string_view text);

}  // namespace fairlead::config
