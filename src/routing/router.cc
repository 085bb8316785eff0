// SPDX-License-Identifier: Apache-2.0
#include "routing/router.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "oci/name.h"
#include "routing/mapping.h"
#include "routing/route_check.h"

namespace fairlead::routing {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && to_lower(a) == to_lower(b);
}

std::string plain_host(std::string_view host) {
  std::string plain = to_lower(host);
  if (plain.ends_with('.')) plain.pop_back();  // the root of the DNS, written out
  return plain;
}

std::string qualified(std::string_view qualifier, std::string_view repository) {
  return std::string(qualifier) + "/" + std::string(repository);
}

}  // namespace

struct Router::Table {
  struct Wildcard {
    std::string suffix;  // ".mirror.example.org"
    MatchTable matches;
  };

  RegistryNames registries;
  std::map<std::string, MatchTable, std::less<>> hosts;     // lower case
  std::vector<Wildcard> wildcard_hosts;                     // longest suffix first
  std::map<std::string, Mapping, std::less<>> name_spaces;  // lower case; "*" for any
  MatchTable matches;
  bool has_capabilities = false;

  // Puts a checked route where it belongs. Gives the earlier route that means the same, which
  // stays; nullptr when there is none.
  const Mapping* add(const RouteOptions& route, Mapping mapping);

  // The tables of the routes by host that `host` means, the most specific first, and what their
  // "*" stands for.
  struct OfHost {
    const MatchTable* matches = nullptr;
    std::string_view star;
  };
  [[nodiscard]] std::vector<OfHost> of_host(std::string_view host) const;

  [[nodiscard]] std::expected<Target, Unrouted> target(const MatchTable::Found& found,
                                                       std::string_view star,
                                                       std::string name) const;

  // nullopt: to no registry that is configured.
  [[nodiscard]] std::optional<Reach> reach(std::string_view match, const Mapping& mapping,
                                           std::string_view star, std::string_view qualifier) const;
  void add_reaches(const MatchTable& of_scope, std::string_view star, std::string_view qualifier,
                   std::vector<Reach>& out) const;

  // Of a namespace, or of any; nullptr: no route is for it.
  [[nodiscard]] const Mapping* of_name_space(std::string_view name_space) const;
};

const Mapping* Router::Table::add(const RouteOptions& route, Mapping mapping) {
  const std::string_view match = route.match ? std::string_view(*route.match) : "";
  has_capabilities = has_capabilities || mapping.policy.is_capability;
  if (route.name_space) {
    const auto [at, is_new] =
        name_spaces.try_emplace(to_lower(*route.name_space), std::move(mapping));
    return is_new ? nullptr : &at->second;
  }
  if (!route.host) return matches.add(match, std::move(mapping));

  const std::string host = to_lower(*route.host);
  const std::string_view suffix = wildcard_suffix(host);
  if (suffix.empty()) return hosts[host].add(match, std::move(mapping));
  auto wildcard = std::ranges::find(wildcard_hosts, suffix, &Wildcard::suffix);
  if (wildcard == wildcard_hosts.end()) {
    const auto shorter = std::ranges::find_if(
        wildcard_hosts, [&](const Wildcard& other) { return other.suffix.size() < suffix.size(); });
    wildcard = wildcard_hosts.insert(shorter, Wildcard{.suffix = std::string(suffix)});
  }
  return wildcard->matches.add(match, std::move(mapping));
}

// Only a registry that is configured and a repository that is valid come out, whatever `star`,
// which a client chose, may be.
std::expected<Target, Unrouted> Router::Table::target(const MatchTable::Found& found,
                                                      std::string_view star,
                                                      std::string name) const {
  const Mapping& mapping = *found.mapping;
  const auto registry = registries.find(substitute(mapping.registry, star));
  if (registry == registries.end()) return std::unexpected(Unrouted{std::move(name)});
  std::string remote = substitute(mapping.remote, star);
  remote += found.remainder;
  const bool is_official = registry->second && remote.find('/') == std::string::npos;
  if (is_official) remote.insert(0, "library/");
  if (!oci::is_repository_name(remote)) return std::unexpected(Unrouted{std::move(name)});
  return Target{.name = std::move(name),
                .registry = registry->first,
                .remote_repository = std::move(remote),
                .policy = &mapping.policy,
                .line = mapping.line};
}

std::vector<Router::Table::OfHost> Router::Table::of_host(std::string_view host) const {
  std::vector<OfHost> tables;
  if (const auto exact = hosts.find(host); exact != hosts.end()) {
    tables.push_back({.matches = &exact->second});
  }
  for (const Wildcard& wildcard : wildcard_hosts) {
    if (host.size() <= wildcard.suffix.size() || !host.ends_with(wildcard.suffix)) continue;
    tables.push_back({.matches = &wildcard.matches,
                      .star = host.substr(0, host.size() - wildcard.suffix.size())});
  }
  return tables;
}

std::expected<Target, Unrouted> Router::route(const RouteQuery& query) const {
  const Table& table = *table_;
  const std::string host = plain_host(query.host);
  for (const auto& [matches, star] : table.of_host(host)) {
    const auto found = matches->find(query.repository);
    if (found) return table.target(*found, star, qualified(host, query.repository));
  }
  if (!query.name_space.empty() && !equal_ignoring_case(query.name_space, query.authority)) {
    const std::string name_space = to_lower(query.name_space);
    std::string name = qualified(name_space, query.repository);
    const Mapping* mapping = table.of_name_space(name_space);
    if (mapping == nullptr) return std::unexpected(Unrouted{std::move(name)});
    return table.target({.mapping = mapping, .remainder = query.repository}, name_space,
                        std::move(name));
  }
  if (const auto found = table.matches.find(query.repository)) {
    return table.target(*found, {}, std::string(query.repository));
  }
  return std::unexpected(Unrouted{std::string(query.repository)});
}

const Mapping* Router::Table::of_name_space(std::string_view name_space) const {
  auto found = name_spaces.find(name_space);
  if (found == name_spaces.end()) found = name_spaces.find("*");
  return found == name_spaces.end() ? nullptr : &found->second;
}

std::optional<Reach> Router::Table::reach(std::string_view match, const Mapping& mapping,
                                          std::string_view star, std::string_view qualifier) const {
  const auto registry = registries.find(substitute(mapping.registry, star));
  if (registry == registries.end()) return std::nullopt;
  return Reach{.match = std::string(match),
               .registry = registry->first,
               .remote = substitute(mapping.remote, star),
               .qualifier = qualifier.empty() ? std::string() : qualified(qualifier, {}),
               .policy = &mapping.policy};
}

void Router::Table::add_reaches(const MatchTable& of_scope, std::string_view star,
                                std::string_view qualifier, std::vector<Reach>& out) const {
  for (const auto& [match, mapping] : of_scope.plain()) {
    if (auto one = reach(match, mapping, star, qualifier)) out.push_back(*std::move(one));
  }
}

std::vector<Reach> Router::reaches(const RouteQuery& query) const {
  const Table& table = *table_;
  std::vector<Reach> out;
  const std::string host = plain_host(query.host);
  for (const auto& [matches, star] : table.of_host(host)) {
    table.add_reaches(*matches, star, host, out);
  }
  if (query.name_space.empty() || equal_ignoring_case(query.name_space, query.authority)) {
    table.add_reaches(table.matches, {}, {}, out);
    return out;
  }
  const std::string name_space = to_lower(query.name_space);
  if (const Mapping* mapping = table.of_name_space(name_space)) {
    if (auto one = table.reach({}, *mapping, name_space, name_space)) {
      out.push_back(*std::move(one));
    }
  }
  return out;
}

bool Reach::is_prefix() const { return match.empty() || match.ends_with('/'); }

std::optional<std::string> Reach::name_of(std::string_view remote_repository) const {
  if (!is_prefix()) {
    const bool is_it = remote_repository == remote || remote_repository == "library/" + remote;
    return is_it ? std::optional(match) : std::nullopt;
  }
  if (!remote_repository.starts_with(remote) || remote_repository.size() == remote.size()) {
    return std::nullopt;
  }
  return match + std::string(remote_repository.substr(remote.size()));
}

bool Router::holds_capability(std::string_view host, std::string_view text) const {
  bool holds = table_->matches.holds_capability(text);
  for (const auto& table : table_->of_host(plain_host(host))) {
    holds = table.matches->holds_capability(text) || holds;
  }
  return holds;
}

bool Router::may_hold_capability(std::string_view text) const {
  if (!table_->has_capabilities) return false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('/'), text.size());
    if (end >= kMinCapability) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

std::expected<Router, std::vector<Router::Problem>> Router::build(
    const std::vector<RouteOptions>& routes, const std::vector<RegistryName>& registries) {
  auto table = std::make_unique<Table>();
  for (const RegistryName& registry : registries) {
    table->registries.emplace(registry.name, registry.has_official_images);
  }

  std::vector<Problem> problems;
  for (const RouteOptions& route : routes) {
    CheckedRoute checked = check_route(route, table->registries);
    for (std::string& text : checked.problems) {
      problems.push_back({.line = route.line, .text = std::move(text)});
    }
    if (!checked.problems.empty()) continue;
    if (const Mapping* earlier = table->add(route, std::move(checked.mapping))) {
      const std::string where =
          earlier->line == 0 ? "" : " on line " + std::to_string(earlier->line);
      problems.push_back(
          {.line = route.line, .text = "an earlier route" + where + " means the same"});
    }
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return Router(std::move(table));
}

Router::Router(std::unique_ptr<const Table> table) : table_(std::move(table)) {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

std::vector<RouteOptions> default_routes(const std::vector<RegistryName>& registries) {
  constexpr std::string_view kDockerHub = "docker.io";
  std::vector<RouteOptions> routes;
  for (const RegistryName& registry : registries) {
    // A name with a port is no repository component; ?ns= still selects it.
    if (!oci::is_repository_name(registry.name)) continue;
    routes.push_back({.match = registry.name + "/", .to = registry.name + "/"});
  }
  routes.push_back({.name_space = "*", .to = "{1}/"});
  if (std::ranges::find(registries, kDockerHub, &RegistryName::name) != registries.end()) {
    routes.push_back({.match = "", .to = std::string(kDockerHub) + "/"});
  }
  return routes;
}

}  // namespace fairlead::routing
