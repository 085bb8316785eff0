// SPDX-License-Identifier: Apache-2.0
#include "http/client_address.h"

#include <algorithm>
#include <optional>

#include "base/host_port.h"

namespace fairlead::http {
namespace {

constexpr std::string_view kUnix = "unix";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t first = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

// Takes the last element off a list value.
std::string_view take_last(std::string_view& list) {
  const std::size_t comma = list.rfind(',');
  const std::string_view last = trimmed(comma == list.npos ? list : list.substr(comma + 1));
  list = comma == list.npos ? std::string_view() : list.substr(0, comma);
  return last;
}

std::string last_of(const Request& request, std::string_view name) {
  const std::string all = request.find_all(name);
  std::string_view list = all;
  return std::string(take_last(list));
}

std::string address_text(std::string_view peer) {
  const auto address = address_of_peer(peer);
  return address ? address->str() : std::string(peer);
}

std::string forwarded_for(const Request& request, const TrustedProxies& trusted) {
  std::string client = address_text(request.peer);
  const std::string all = request.find_all("X-Forwarded-For");
  std::string_view list = all;
  for (int hops = 0; !list.empty() && hops < kMaxProxies; ++hops) {
    const auto address = address_of_peer(take_last(list));
    if (!address) break;
    client = address->str();
    if (!trusted.contains(*address)) break;
  }
  return client;
}

}  // namespace

std::expected<void, std::string> TrustedProxies::add(std::string_view text) {
  if (text == kUnix) {
    has_unix_ = true;
    return {};
  }
  auto network = IpNetwork::parse(text);
  if (!network) return std::unexpected(std::move(network.error()));
  networks_.push_back(*network);
  return {};
}

bool TrustedProxies::matches(std::string_view peer) const {
  if (peer == kUnix) return has_unix_;
  const auto address = address_of_peer(peer);
  return address && contains(*address);
}

bool TrustedProxies::contains(const IpAddress& address) const {
  return std::ranges::any_of(networks_,
                             [&](const IpNetwork& network) { return network.contains(address); });
}

ClientInfo client_of(const Request& request, const TrustedProxies& trusted) {
  ClientInfo client{.host = std::string(request.host), .is_secure = request.is_secure};
  if (!trusted.matches(request.peer)) {
    client.address = address_text(request.peer);
    return client;
  }
  client.address = forwarded_for(request, trusted);
  const std::string scheme = last_of(request, "X-Forwarded-Proto");
  if (equals_ignoring_case(scheme, "https")) client.is_secure = true;
  if (equals_ignoring_case(scheme, "http")) client.is_secure = false;
  const std::string host = last_of(request, "X-Forwarded-Host");
  if (const auto parsed = parse_host_port(host); parsed && parsed->port != 0) client.host = host;
  return client;
}

}  // namespace fairlead::http
