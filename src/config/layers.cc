// SPDX-License-Identifier: Apache-2.0
#include "config/layers.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <string_view>
#include <utility>

#include "config/nearest.h"

namespace fairlead::config {
namespace {

constexpr std::string_view kPrefix = "FAIRLEAD_";
constexpr std::string_view kFileVariable = "FAIRLEAD_CONFIG";

struct Setting {
  std::string_view path;
  bool is_list = false;  // commas separate
};

constexpr std::array<Setting, 37> kSettings{{
    {"server.listen", true},
    {"server.workers"},
    {"server.tls.certificate"},
    {"server.tls.key"},
    {"server.tls.client_ca"},
    {"server.public_url"},
    {"server.trusted_proxies", true},
    {"server.cors.allowed_origins", true},
    {"server.limits.connections"},
    {"server.limits.connections_per_client"},
    {"server.limits.requests_per_second"},
    {"server.limits.bandwidth"},
    {"server.limits.header_bytes"},
    {"server.limits.drain"},
    {"cache.directory"},
    {"cache.max_size"},
    {"cache.max_age"},
    {"cache.fresh_for"},
    {"cache.stale_if_error"},
    {"cache.not_found_for"},
    {"cache.scrub"},
    {"cache.write_through"},
    {"cache.keep", true},
    {"cache.s3.name"},
    {"cache.s3.endpoint"},
    {"cache.s3.public_endpoint"},
    {"cache.s3.region"},
    {"cache.s3.path_style"},
    {"cache.s3.access_key"},
    {"cache.s3.secret_key"},
    {"cache.s3.session_token"},
    {"cache.s3.root"},
    {"cache.s3.max_size"},
    {"cache.s3.max_age"},
    {"cache.s3.presign_expiry"},
    {"log.level"},
    {"log.format"},
}};

std::string variable_of(const Setting& setting) {
  std::string out(kPrefix);
  for (const char c : setting.path) {
    out += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

Node scalar(std::string_view text, const std::string& origin) {
  return {.kind = Node::Kind::Scalar, .origin = origin, .text = std::string(text)};
}

Node list(const std::vector<std::string>& texts, const std::string& origin) {
  Node out{.kind = Node::Kind::Sequence, .origin = origin};
  for (const auto& text : texts) out.items.push_back(scalar(text, origin));
  return out;
}

// "a, b" as "a" and "b".
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> out;
  for (const auto piece : std::views::split(text, ',')) {
    std::string_view part(piece);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    out.emplace_back(part);
  }
  return out;
}

// Where the file has something that is no mapping on the way, that is a problem which the schema
// reports; then nothing is put.
void put(Node& root, std::string_view path, Node value) {
  Node* at = &root;
  for (const auto part : std::views::split(path, '.')) {
    if (at->kind == Node::Kind::Null) at->kind = Node::Kind::Mapping;
    if (at->kind != Node::Kind::Mapping) return;
    const std::string key(std::string_view{part});
    auto member = std::ranges::find(at->members, key, &Member::key);
    if (member == at->members.end()) member = at->members.insert(member, {.key = key});
    at = &member->value;
  }
  *at = std::move(value);
}

}  // namespace

void apply_environment(Node& root, const Surroundings& surroundings) {
  for (const Setting& setting : kSettings) {
    const std::string name = variable_of(setting);
    const auto found = surroundings.environment.find(name);
    if (found == surroundings.environment.end() || found->second.empty()) continue;
    const std::string& text = found->second;
    put(root, setting.path, setting.is_list ? list(parts_of(text), name) : scalar(text, name));
  }
}

void apply_overrides(Node& root, const Overrides& overrides) {
  if (!overrides.listen.empty()) put(root, "server.listen", list(overrides.listen, "--listen"));
  const auto flag = [&](std::string_view path, const std::optional<std::string>& given,
                        const std::string& name) {
    if (given) put(root, path, scalar(*given, name));
  };
  flag("server.workers", overrides.workers, "--workers");
  flag("cache.directory", overrides.cache_directory, "--cache-directory");
  flag("log.level", overrides.log_level, "--log-level");
  flag("log.format", overrides.log_format, "--log-format");
}

std::vector<Problem> unknown_variables(const Surroundings& surroundings,
                                       const std::set<std::string, std::less<>>& used) {
  std::vector<std::string> known{std::string(kFileVariable)};
  for (const Setting& setting : kSettings) known.push_back(variable_of(setting));
  const std::vector<std::string_view> names(known.begin(), known.end());

  std::vector<Problem> out;
  const auto& environment = surroundings.environment;
  for (auto at = environment.lower_bound(kPrefix);
       at != environment.end() && at->first.starts_with(kPrefix); ++at) {
    if (std::ranges::count(names, at->first) > 0 || used.contains(at->first)) continue;
    const auto nearest = nearest_of(names, at->first);
    out.push_back(
        {.file = at->first,
         .text = "no setting has this name" +
                 (nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?")});
  }
  return out;
}

}  // namespace fairlead::config
