// SPDX-License-Identifier: Apache-2.0
// ServerOptions: listeners and limits of the HTTP server.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "http/client_address.h"

namespace fairlead::http {

struct TlsOptions {
  std::string certificate;  // PEM chain; empty: plain HTTP
  std::string key;          // PEM
  std::string client_ca;    // PEM; empty: clients need no certificate
};

struct Limits {
  std::size_t connections = 10000;  // open at once, all listeners together
  // Of one client, which is an address, of IPv6 a network of 64 bits, for the last two a principal
  // where there is one. 0: no limit. Trusted proxies' connections are not counted.
  std::size_t connections_per_client = 0;  // open at once
  std::size_t requests_per_second = 0;     // the gateway keeps these two
  std::size_t bandwidth = 0;               // bytes a second

  std::size_t header_bytes = 32 * 1024;  // of one request head
  std::chrono::seconds header_time{10};  // to receive one request head, TLS handshake included
  std::chrono::seconds idle_time{75};    // between two requests of a connection
  std::chrono::seconds write_stall{60};  // a client that takes no byte for so long is cut
  std::chrono::seconds read_stall{60};   // one that sends no byte of a body it has promised, too
  std::chrono::milliseconds drain{std::chrono::seconds(30)};  // for requests in flight at shutdown
};

struct ServerOptions {
  std::vector<std::string> listen{"127.0.0.1:5000"};  // host:port, [v6]:port, unix:/path
  mode_t unix_mode = 0;  // rights of sockets that are files; 0: what the umask leaves
  TlsOptions tls;
  std::size_t workers = 0;   // 0: one per core
  bool is_announced = true;  // in the log: "listening on ..."

  TrustedProxies trusted_proxies;
  std::string public_url;  // "https://registry.example.com"; empty: as each client names us
  std::vector<std::string> allowed_origins;  // of web pages that may ask; globs

  Limits limits;
};

}  // namespace fairlead::http
