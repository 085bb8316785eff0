// SPDX-License-Identifier: Apache-2.0
// Who a request is from and how they reached us, when reverse proxies stand in between.
//
// X-Forwarded-For, -Proto and -Host say it, and anybody can send them. They are believed of
// trusted proxies alone (the attack: a client that sends them itself, for another's rate limit,
// or to name an address in our log). Each proxy puts its own peer behind what was there, so only
// the right end of X-Forwarded-For is what a trusted proxy saw; what stands further left is
// what its peer claimed, and counts only if that is trusted, too.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "http/request.h"

namespace fairlead::http {

// Immutable once set up; then thread-safe.
class TrustedProxies {
 public:
  // "10.0.0.0/8", "::1", or "unix" for the peers of unix sockets. The error is what is wrong, to be
  // read after the text.
  std::expected<void, std::string> add(std::string_view text);

  // `peer` as Request has it: "127.0.0.1:5555", "[::1]:5555", "unix".
  [[nodiscard]] bool matches(std::string_view peer) const;
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool empty() const { return networks_.empty() && !has_unix_; }

 private:
  std::vector<IpNetwork> networks_;
  bool has_unix_ = false;
};

struct ClientInfo {
  std::string address;     // without a port: "192.0.2.1", "2001:db8::1"; "unix" or "unknown"
  std::string host;        // host[:port] that the client asked for; of the request where not known
  bool is_secure = false;  // the client's own connection is encrypted
};

// A chain of more trusted proxies than this is not followed further.
inline constexpr int kMaxProxies = 32;

// The address is the rightmost of X-Forwarded-For that is not of a trusted proxy. Where what stands
// there is no address, it is that of the proxy which sent it. Of -Proto and -Host the rightmost
// value counts, if it is one.
ClientInfo client_of(const Request& request, const TrustedProxies& trusted);

}  // namespace fairlead::http
