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

void read_listen(const Value& listen, http::ServerOptions& out) {
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
  if (!exposed.empty() && out.tls.client_ca.empty()) {
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
  limits.not_built_unless_zero({"requests_per_second", "bandwidth"});
}

}  // namespace

void read_server(Section& server, http::ServerOptions& out) {
  server.section("tls", [&](Section& tls) { read_tls(tls, out.tls); });
  if (const auto listen = server.find("listen")) read_listen(*listen, out);
  server.number("workers", out.workers, 0, 1024);
  server.section("limits", [&](Section& limits) { read_limits(limits, out.limits); });
  server.not_built({"public_url", "trusted_proxies", "cors"});
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
