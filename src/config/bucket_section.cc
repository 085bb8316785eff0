// SPDX-License-Identifier: Apache-2.0
// Reads `bucket` of a registry and `cache.s3`, and how content is delivered: `deliver`,
// `stream_to`.
#include "config/bucket_section.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/endpoint.h"
#include "config/schema.h"
#include "s3/signer.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSize = std::size_t{1} << 60;
constexpr std::size_t kMaxNetworks = 1000;
constexpr std::size_t kMaxRoot = 512;
constexpr std::chrono::hours kMaxDuration{24 * 3650};

// The attack: anybody between us and the bucket reads a URL, which is as good as its object.
// Signatures do not show the key they are made with, so this is no more than a word.
void warn_of_plain_http(const Value& value, std::string_view url) {
  if (!url.starts_with("http://")) return;
  const auto host = parse_host_port(url.substr(7));
  if (host && is_loopback(host->host)) return;
  value.warning("is not encrypted: whoever is on the way can read what is fetched from the bucket");
}

void read_endpoint(Section& in, std::string_view key, std::string& out) {
  const auto value = in.find(key);
  const auto text = value ? value->text() : std::nullopt;
  if (!text) return;
  auto url = parse_base_url(*text);
  if (!url) return value->problem(url.error());
  out = std::move(url->text);
  warn_of_plain_http(*value, out);
}

bool is_aws(std::string_view endpoint) {
  const auto host = parse_host_port(endpoint.substr(endpoint.find("//") + 2));
  return host &&
         (host->host.ends_with(".amazonaws.com") || host->host.ends_with(".amazonaws.com.cn"));
}

bool is_region(std::string_view region) {
  const auto may_stand = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !region.empty() && region.size() <= 64 && std::ranges::all_of(region, may_stand);
}

void read_place(Section& in, s3::BucketOptions& out) {
  in.text("name", out.name);
  if (!in.find("name")) in.self().problem("has no name");
  if (const auto value = in.find("region")) {
    const auto region = value->text();
    if (region && is_region(*region)) out.region = *region;
    if (region && !is_region(*region)) {
      value->problem("is a word of lower-case letters, digits and -");
    }
  }
  out.endpoint = "https://s3." + out.region + ".amazonaws.com";
  read_endpoint(in, "endpoint", out.endpoint);
  read_endpoint(in, "public_endpoint", out.public_endpoint);
  const auto path_style = in.find("path_style");
  const bool is_path = path_style ? path_style->boolean().value_or(true) : !is_aws(out.endpoint);
  out.style = is_path ? s3::AddressStyle::Path : s3::AddressStyle::VirtualHost;
  for (const std::string* endpoint : {&out.endpoint, &out.public_endpoint}) {
    if (out.name.empty() || endpoint->empty()) continue;
    const auto address = s3::BucketAddress::make(*endpoint, out.name, out.style);
    if (!address) return in.self().problem(address.error().context);
  }
}

void read_root(Section& in, std::string& out) {
  const auto value = in.find("root");
  const auto text = value ? value->text(true) : std::nullopt;
  if (!text) return;
  std::string_view root = *text;
  while (root.starts_with('/')) root.remove_prefix(1);
  while (root.ends_with('/')) root.remove_suffix(1);
  if (root.size() > kMaxRoot) return value->problem("is too long");
  if (root.contains("//")) return value->problem("holds an empty part: //");
  out = root;
}

void read_keys(Section& in, s3::BucketOptions& out) {
  const auto access = in.find("access_key");
  const auto secret = in.find("secret_key");
  const auto session = in.find("session_token");
  if (!access && !secret) {
    if (session) session->problem("is of no use without access_key and secret_key");
    return;
  }
  if (!secret) return in.self().problem("has an access_key without a secret_key");
  if (!access) return in.self().problem("has a secret_key without an access_key");
  auto name = access->secret();
  auto key = secret->secret();
  auto token = session ? session->secret() : std::optional(Secret());
  if (!name || !key || !token) return;
  s3::S3Credentials credentials{.access_key = name->reveal(),
                                .secret_key = *std::move(key),
                                .session_token = *std::move(token)};
  if (const auto checked = s3::check_credentials(credentials); !checked) {
    return in.self().problem(checked.error().context);
  }
  out.credentials = std::move(credentials);
}

void read_bucket(Section& in, s3::BucketOptions& out) {
  read_place(in, out);
  read_keys(in, out);
  read_root(in, out.root);
  in.readable_file("ca", out.ca_file);
  read_proxy(in, out.proxy);
  in.section("timeouts", [&](Section& timeouts) { read_timeouts(timeouts, out.timeouts); });
}

}  // namespace

void read_timeouts(Section& in, upstream::Timeouts& out) {
  in.duration("connect", out.connect, 1ms, 1h);
  in.duration("first_byte", out.first_byte, 1ms, 1h);
  in.duration("stall", out.stall, 1ms, 1h);
}

void read_proxy(Section& in, std::string& out) {
  const auto value = in.find("proxy");
  const auto secret = value ? value->secret() : std::nullopt;
  if (!secret) return;
  auto proxy = parse_proxy(secret->reveal());
  if (!proxy) return value->problem(proxy.error());
  out = std::move(*proxy);
}

void read_presign_expiry(Section& in, std::chrono::seconds& out) {
  std::chrono::milliseconds expiry = out;
  in.duration("presign_expiry", expiry, s3::kMinExpiry, s3::kMaxExpiry);
  out = std::chrono::floor<std::chrono::seconds>(expiry);
}

void read_registry_bucket(Section& in, RegistryBucket& out) {
  read_bucket(in, out.bucket);
  if (!in.find("layout")) {
    in.self().problem(
        "has no layout: distribution, as docker-registry keeps its data, or oci, "
        "as zot does");
  }
  in.choice("layout", out.layout,
            {{"distribution", s3::LayoutKind::Distribution}, {"oci", s3::LayoutKind::Oci}});
}

void read_cache_bucket(Section& in, CacheBucketOptions& out) {
  read_bucket(in, out.bucket);
  in.size("max_size", out.max_size, 0, kMaxSize);
  in.duration("max_age", out.max_age, 0ms, kMaxDuration);
  in.duration("scrub", out.scrub, 0ms, kMaxDuration);
  read_presign_expiry(in, out.presign_expiry);
}

std::optional<routing::Ways> read_ways(const Value& value) {
  using routing::Way;
  routing::Ways ways;
  if (value.kind() != Node::Kind::Scalar) {
    value.section([&](Section& in) {
      in.choice("blobs", ways.blobs, {{"stream", Way::Stream}, {"redirect", Way::Redirect}});
      in.choice("manifests", ways.manifests,
                {{"inline", Way::Stream}, {"redirect", Way::Redirect}});
    });
    return ways;
  }
  const auto text = value.text();
  if (text == "redirect") ways.blobs = Way::Redirect;
  if (text && *text != "redirect" && *text != "stream") {
    value.problem(in_quotes(*text) + " is neither stream nor redirect");
  }
  return ways;
}

routing::StreamTo read_stream_to(const Value& value) {
  routing::StreamTo networks;
  for (const Value& item : value.items(kMaxNetworks)) {
    const auto text = item.text();
    if (!text) continue;
    auto network = IpNetwork::parse(*text);
    if (network) {
      networks.push_back(*network);
    } else {
      item.problem(in_quotes(*text) + " " + network.error());
    }
  }
  return networks;
}

}  // namespace fairlead::config
