// SPDX-License-Identifier: Apache-2.0
// Reads `server` and `log`.
#include <algorithm>
#include <utility>

#include "config/endpoint.h"
#include "config/schema.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMaxListeners = 64;
constexpr std::size_t kMaxProxyNetworks = 256;
constexpr std::size_t kMaxOrigins = 100;
constexpr std::size_t kMaxOrigin = 300;  // bytes
constexpr std::size_t kMaxPerClient = 1'000'000;
constexpr std::size_t kMinBandwidth = 16 * kKiB;  // below it not even a manifest comes in time
constexpr std::size_t kMaxBandwidth = kKiB * kKiB * kKiB * kKiB;

void read_listen(const Value& listen, bool is_open, http::ServerOptions& out) {
  out.listen.clear();
  std::string exposed;  // addresses that others reach
  for (const Value& item : listen.items(kMaxListeners)) {
    const auto text = item.text();
    if (!text) continue;
    const auto address = parse_listen(*text);
    if (!address) {
      item.problem(in_quotes(*text) + " " + address.error());
      continue;
    }
    if (!address->any_port && std::ranges::count(out.listen, address->text) > 0) {
      item.problem(in_quotes(*text) + " is given twice");
      continue;
    }
    if (!address->local) exposed += (exposed.empty() ? "" : ", ") + address->text;
    out.listen.push_back(address->text);
  }
  if (listen.is_empty_list()) listen.problem("must name at least one address");
  // The attack: somebody else's machine pulls with the credentials that are configured here.
  if (!exposed.empty() && is_open && out.tls.client_ca.empty()) {
    listen.warning("other machines can reach " + exposed +
                   " and nobody is asked who they are: whoever connects can pull every image that "
                   "the configured registries give to Fairlead");
  }
}

void read_tls(Section& tls, http::TlsOptions& out) {
  tls.readable_file("certificate", out.certificate);
  tls.readable_file("key", out.key);
  tls.readable_file("client_ca", out.client_ca);

  const auto given = [&](std::string_view key) { return tls.find(key).has_value(); };
  if (given("certificate") != given("key")) {
    tls.self().problem(given("key") ? "has a key without a certificate"
                                    : "has a certificate without a key");
  } else if (given("client_ca") && !given("certificate")) {
    tls.self().problem("has client_ca without a certificate and a key");
  }
}

void read_limits(Section& limits, http::Limits& out) {
  limits.number("connections", out.connections, 1, 1'000'000);
  limits.size("header_bytes", out.header_bytes, 4 * kKiB, 1024 * kKiB);
  limits.duration("drain", out.drain, 0ms, 1h);
  limits.number("connections_per_client", out.connections_per_client, 0, kMaxPerClient);
  limits.number("requests_per_second", out.requests_per_second, 0, kMaxPerClient);
  limits.size("bandwidth", out.bandwidth, 0, kMaxBandwidth);
  if (out.bandwidth > 0 && out.bandwidth < kMinBandwidth) {
    limits.find("bandwidth")->problem("must be 0, for none, or 16KiB at least");
  }
}

void read_public_url(const Value& value, std::string& out) {
  const auto text = value.text();
  if (!text) return;
  const auto url = parse_base_url(*text);
  if (!url) {
    value.problem(url.error());
    return;
  }
  out = url->text;
  const auto endpoint = parse_host_port(std::string_view(out).substr(out.find("//") + 2));
  if (!url->encrypted && !is_loopback(endpoint->host)) {
    value.warning("is not encrypted: clients are told to send passwords and tokens in the clear");
  }
}

void read_trusted_proxies(const Value& proxies, http::TrustedProxies& out) {
  for (const Value& item : proxies.items(kMaxProxyNetworks)) {
    const auto text = item.text();
    if (!text) continue;
    if (const auto added = out.add(*text); !added) {
      item.problem(in_quotes(*text) + " " + added.error());
    } else if (text->ends_with("/0")) {
      item.warning("trusts everybody: whoever connects says what address they have");
    }
  }
}

// What is wrong with `text` as a pattern for origins; empty: nothing.
std::string_view fault_of_origin(std::string_view text) {
  const std::string_view host = text.substr(std::min(text.find("//") + 2, text.size()));
  if (!text.starts_with("https://") && !text.starts_with("http://")) {
    return "needs the form https://host or http://host, where * stands for any characters but /";
  }
  if (text.size() > kMaxOrigin) return "is too long";
  const auto may_stand = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_*:[]").contains(c);
  };
  // A browser sends no path, no user and no capitals: nothing would ever match.
  if (host.empty() || !std::ranges::all_of(host, may_stand)) {
    return "must end after the host and port, in lower case: no path, query or user";
  }
  return {};
}

void read_cors(Section& cors, std::vector<std::string>& out) {
  const auto origins = cors.find("allowed_origins");
  if (!origins) return;
  out.clear();
  for (const Value& item : origins->items(kMaxOrigins)) {
    const auto text = item.text();
    if (!text) continue;
    if (const auto fault = fault_of_origin(*text); !fault.empty()) {
      item.problem(in_quotes(*text) + " " + std::string(fault));
    } else {
      out.push_back(*text);
    }
  }
}

}  // namespace

void read_server(Section& server, bool is_open, http::ServerOptions& out) {
  server.section("tls", [&](Section& tls) { read_tls(tls, out.tls); });
  if (const auto listen = server.find("listen")) read_listen(*listen, is_open, out);
  server.number("workers", out.workers, 0, 1024);
  server.section("limits", [&](Section& limits) { read_limits(limits, out.limits); });
  if (const auto url = server.find("public_url")) read_public_url(*url, out.public_url);
  if (const auto proxies = server.find("trusted_proxies")) {
    read_trusted_proxies(*proxies, out.trusted_proxies);
  }
  server.section("cors", [&](Section& cors) { read_cors(cors, out.allowed_origins); });
}

void read_log(Section& log, telemetry::LogOptions& out) {
  using enum telemetry::LogLevel;
  using enum telemetry::LogFormat;
  log.choice(
      "level", out.level,
      {{"debug", Debug}, {"info", Info}, {"warn", Warn}, {"error", telemetry::LogLevel::Error}});
  log.choice("format", out.format, {{"text", Text}, {"json", Json}});
}

}  // namespace fairlead::config
