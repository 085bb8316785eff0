// SPDX-License-Identifier: Apache-2.0
// Input: a line with a network, one with X-Forwarded-Host, and X-Forwarded-For for the rest. An
// address that is taken is one and is written as addresses are; a host has no room for more.
// Modules: http async telemetry base
#include "base/host_port.h"
#include "fuzz/property.h"
#include "http/client_address.h"

using fairlead::fuzz::check;
using namespace fairlead;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = fuzz::as_text(data, size);
  const std::string_view network = fuzz::take_line(text);
  const std::string_view host = fuzz::take_line(text);
  http::TrustedProxies trusted;
  if (!trusted.add("10.0.0.0/8")) check(false);
  const bool is_network = trusted.add(network).has_value();
  check(!is_network || network == "unix" || IpNetwork::parse(network));

  http::Request request;
  request.peer = "10.0.0.1:5000";
  request.host = "asked.example";
  request.fields = {{"X-Forwarded-For", text}, {"X-Forwarded-Host", host}};
  const http::ClientInfo client = http::client_of(request, trusted);
  const auto address = IpAddress::parse(client.address);
  check(address && address->str() == client.address);
  check(client_network(client.address).size() < 64);
  check(parse_host_port(client.host).has_value());
  check(client.host.find_first_of(" \t\r\n\"/\\@?#,") == client.host.npos);

  // Of a stranger nothing is believed.
  request.peer = "192.0.2.1:5000";
  const http::ClientInfo stranger = http::client_of(request, {});
  check(stranger.address == "192.0.2.1" && stranger.host == "asked.example");
  return 0;
}
