// SPDX-License-Identifier: Apache-2.0
// Reads `registries`.
#include <algorithm>
#include <utility>

#include "config/bucket_section.h"
#include "config/endpoint.h"
#include "config/schema.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;
using upstream::RegistryOptions;

constexpr std::size_t kMaxRegistries = 1000;
constexpr std::size_t kMaxMirrors = 16;
constexpr std::size_t kMaxTokenHosts = 64;
constexpr std::size_t kMaxArguments = 64;

// A name is the first part of an image's name and of a route's `to`, and what ?ns= says.
bool is_registry_name(std::string_view name) {
  const auto host = parse_host_port(name);
  return host && to_string(*host) == name && !name.starts_with('[');
}

std::optional<std::string> read_url(const Value& value) {
  const auto text = value.text();
  if (!text) return std::nullopt;
  const auto url = parse_base_url(*text);
  if (!url) {
    value.problem(url.error());
    return std::nullopt;
  }
  return url->text;
}

void read_urls(Section& registry, RegistryOptions& out) {
  if (const auto value = registry.find("url")) {
    if (auto url = read_url(*value)) out.url = std::move(*url);
  } else if (out.url.empty() && !registry.find("bucket")) {
    registry.self().problem("has neither a url nor a bucket");
  }
  if (const auto mirrors = registry.find("mirrors")) {
    for (const Value& item : mirrors->items(kMaxMirrors)) {
      if (auto url = read_url(item)) out.mirrors.push_back(std::move(*url));
    }
  }
}

void read_helper(Section& in, RegistryOptions& out) {
  const auto exec = in.find("exec");
  if (!exec) return;
  out.credential_helper = exec->texts(kMaxArguments);
  if (exec->is_empty_list()) exec->problem("must name a program");
}

void read_password(Section& registry, RegistryOptions& out) {
  const auto username = registry.find("username");
  const auto password = registry.find("password");
  if (!username && !password) return;
  if (!password) return registry.self().problem("has a username without a password");
  if (!username) return registry.self().problem("has a password without a username");

  auto name = username->secret();
  auto secret = password->secret();
  if (!name || !secret) return;
  if (name->reveal().contains(':')) {
    username->problem("must not hold a colon: HTTP ends the user name there");
    return;
  }
  out.credentials = {.username = name->reveal(), .password = std::move(*secret)};
}

void read_credentials_form(const Value& value, RegistryOptions& out) {
  if (value.kind() != Node::Kind::Scalar) {
    value.section([&](Section& credentials) { read_helper(credentials, out); });
  } else if (const auto text = value.text()) {
    out.relays_credentials = *text == "relay";
    if (!out.relays_credentials) {
      value.problem("must be relay, or hold exec: [program, argument, ...]");
    }
  }
}

void read_credentials(Section& registry, RegistryOptions& out) {
  read_password(registry, out);
  read_helper(registry, out);
  if (const auto value = registry.find("credentials")) {
    if (registry.find("exec")) value->problem("and exec beside it say the same: keep one");
    read_credentials_form(*value, out);
  }
  if (out.credentials && !out.credential_helper.empty()) {
    registry.self().problem("has both username and password, and exec: keep one");
  }
  if (out.relays_credentials && (out.credentials || !out.credential_helper.empty())) {
    registry.self().problem(
        "has credentials of its own, and relay, which uses each caller's: keep one");
  }
}

// The attack: a mirror, which is asked without the caller's credentials, says that they may have
// what the registry would not give them.
void check_mirrors(const Section& registry, const RegistryOptions& out) {
  if (!out.relays_credentials || out.mirrors.empty()) return;
  registry.self().problem(
      "has mirrors, and credentials: relay; only the registry itself knows its callers: keep one");
}

// The attack: anybody between us and the registry reads the password, and can answer in its place.
// There is nobody between us and ourselves.
bool is_exposed(std::string_view url) {
  if (!url.starts_with("http://")) return false;
  url.remove_prefix(7);
  return !url.starts_with("127.") && !url.starts_with("localhost") && !url.starts_with("[::1]");
}

void warn_of_plain_http(const Section& registry, const RegistryOptions& out) {
  const bool has_own = out.credentials || !out.credential_helper.empty();
  if (!has_own && !out.relays_credentials) return;
  if (is_exposed(out.url) || std::ranges::any_of(out.mirrors, is_exposed)) {
    registry.self().warning(std::string("sends ") + (has_own ? "its" : "its callers'") +
                            " credentials over http:// without encryption");
  }
}

void read_network(Section& registry, RegistryOptions& out) {
  if (const auto hosts = registry.find("token_hosts")) {
    for (const Value& item : hosts->items(kMaxTokenHosts)) {
      const auto text = item.text();
      if (!text) continue;
      if (const auto host = parse_host_port(*text)) {
        out.token_hosts.push_back(to_string(*host));
      } else {
        item.problem(in_quotes(*text) + " needs the form host or host:port");
      }
    }
  }
  registry.readable_file("ca", out.ca_file);
  read_proxy(registry, out.proxy);
  registry.section("timeouts", [&](Section& timeouts) { read_timeouts(timeouts, out.timeouts); });
}

void read_catalog(Section& registry, RegistryOptions& out) {
  const auto value = registry.find("catalog");
  if (!value) return;
  out.in_catalog = value->boolean().value_or(false);
  if (!out.in_catalog) return;
  if (out.url.empty()) value->problem("is for a registry with a url: nobody else tells its names");
  if (out.relays_credentials) {
    value->warning("is of no use with credentials: relay: what each caller may see is not known");
  }
}

void read_registry(Section& registry, RegistryOptions& out) {
  read_urls(registry, out);
  read_credentials(registry, out);
  check_mirrors(registry, out);
  read_network(registry, out);
  warn_of_plain_http(registry, out);
  read_catalog(registry, out);
}

// The attack: the bucket is asked instead of the registry, which alone knows what its callers may.
void check_relay(const Section& registry, const RegistryOptions& out) {
  if (!out.relays_credentials) return;
  registry.self().problem(
      "has a bucket, and credentials: relay; only the registry itself knows its callers: keep one");
}

// Without a url there is nobody to ask in anybody's name.
void check_lone_bucket(const Section& registry, const RegistryOptions& out) {
  if (!out.url.empty()) return;
  if (out.credentials || !out.credential_helper.empty() || !out.mirrors.empty()) {
    registry.self().problem("has a bucket and no url: credentials and mirrors are for a registry");
  }
}

void read_storage(Section& registry, const RegistryOptions& options, Config& out) {
  if (const auto value = registry.find("bucket")) {
    RegistryBucket& bucket = out.buckets[options.name];
    value->section([&](Section& in) { read_registry_bucket(in, bucket); });
    read_presign_expiry(registry, bucket.presign_expiry);
    check_lone_bucket(registry, options);
    check_relay(registry, options);
  } else if (const auto expiry = registry.find("presign_expiry")) {
    expiry->problem("is of no use without a bucket");
  }
  routing::Delivery& delivery = out.deliveries[options.name];
  if (const auto value = registry.find("deliver")) {
    if (const auto ways = read_ways(*value)) delivery.ways = *ways;
  }
  if (const auto value = registry.find("stream_to")) delivery.stream_to = read_stream_to(*value);
}

}  // namespace

void read_registries(Section& registries, Config& config) {
  std::vector<RegistryOptions>& out = config.registries;
  for (const auto& [name, value] : registries.all(kMaxRegistries)) {
    // It is read all the same, so that a route to it is not told to lead nowhere.
    if (!is_registry_name(name)) {
      value.problem("is no name for a registry: write host or host:port in lower case");
    }
    auto entry = std::ranges::find(out, name, &RegistryOptions::name);
    if (entry == out.end()) entry = out.insert(out.end(), {.name = name});
    value.section([&](Section& registry) {
      read_registry(registry, *entry);
      read_storage(registry, *entry, config);
    });
  }
}

}  // namespace fairlead::config
