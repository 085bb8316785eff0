// SPDX-License-Identifier: Apache-2.0
// Loads a configuration: document, layers, schema, what must hold between sections.
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

#include "config/builtin.h"
#include "config/config.h"
#include "config/document.h"
#include "config/layers.h"
#include "config/schema.h"
#include "config/write_access.h"
#include "oci/glob.h"
#include "routing/router.h"

namespace fairlead::config {
namespace {

std::vector<routing::RegistryName> names_of(
    const std::vector<upstream::RegistryOptions>& registries) {
  std::vector<routing::RegistryName> out;
  out.reserve(registries.size());
  for (const auto& registry : registries) {
    out.push_back({.name = registry.name, .has_official_images = registry.is_docker_hub()});
  }
  return out;
}

// The attack, by oneself: a rule that is to shut something, and is about a name that nothing has.
void check_rules(const Config& config, Section& root) {
  const auto auth = root.find("auth");
  if (!auth || !config.auth.policy.rules) return;
  std::vector<std::string> names;
  for (const auto& route : config.routes) names.push_back(pattern_of(route));
  for (const auth::Rule& rule : *config.auth.policy.rules) {
    for (const std::string& pattern : rule.repositories) {
      const bool is_met = std::ranges::any_of(
          names, [&](const std::string& name) { return oci::globs_overlap(name, pattern); });
      if (is_met) continue;
      auth->warning("the rule on line " + std::to_string(rule.line) + ": " + in_quotes(pattern) +
                    " matches no name that a route has; rules are about what clients write behind "
                    "the gateway's address");
    }
  }
}

void read_all(Section& root, Config& out) {
  root.section("auth", [&](Section& auth) { read_auth(auth, out.auth); });
  const bool is_open = out.auth.is_open_by_default && !out.auth.knows_callers();
  root.section("server", [&](Section& server) { read_server(server, is_open, out.server); });
  root.section("registries", [&](Section& section) { read_registries(section, out); });
  root.section("cache", [&](Section& cache) { read_cache(cache, out); });
  root.section("log", [&](Section& log) { read_log(log, out.log); });

  const auto routes = root.find("routes");
  if (routes && routes->kind() != Node::Kind::Null) {
    read_routes(*routes, out.routes);
  } else {
    out.routes = routing::default_routes(names_of(out.registries));
  }
  check_rules(out, root);
  root.not_built({"admin"});
}

// "routes[2]" for the route on `line`; "routes" for those that no line has.
std::string key_of_route(const std::vector<routing::RouteOptions>& routes, std::size_t line) {
  const auto at = std::ranges::find(routes, line, &routing::RouteOptions::line);
  if (line == 0 || at == routes.end()) return "routes";
  return "routes[" + std::to_string(std::distance(routes.begin(), at)) + "]";
}

// What the Router says of a route that could not be read whole, or of the default routes to a
// registry with an unusable name, follows from a problem that is told already.
void check_routes(const Config& config, Reading& reading) {
  const auto router = routing::Router::build(config.routes, names_of(config.registries));
  if (router) return;
  std::set<std::string> spoilt;
  for (const Problem& problem : reading.problems) {
    if (problem.key.starts_with("routes"))
      spoilt.insert(problem.key.substr(0, problem.key.find('.')));
    if (problem.key.starts_with("registries")) spoilt.insert("routes");
  }
  for (const auto& [line, text] : router.error()) {
    if (reading.is_full()) return;
    const std::string key = key_of_route(config.routes, line);
    if (spoilt.contains(key)) continue;
    reading.problems.push_back({reading.file, line, key, printable(text, 1000)});
  }
}

// The file's in the order of its lines, then those of flags and environment.
void sort_by_place(std::vector<Problem>& problems, const std::string& file) {
  std::ranges::sort(problems, [&](const Problem& a, const Problem& b) {
    return std::tuple(a.file != file, a.line, a.key, a.file) <
           std::tuple(b.file != file, b.line, b.key, b.file);
  });
}

}  // namespace

Loaded parse(std::string_view text, std::string_view file_name, const Overrides& overrides,
             const Surroundings& surroundings) {
  Reading reading{.file = std::string(file_name), .surroundings = surroundings};
  if (text.size() > kMaxFileBytes) {
    return std::unexpected(std::vector{Problem{reading.file, 0, "", "is larger than 1 MiB"}});
  }

  Node document = read_document(text, reading.problems);
  for (Problem& problem : reading.problems) problem.file = reading.file;
  apply_environment(document, surroundings);
  apply_overrides(document, overrides);

  Config out{.registries = builtin_registries()};
  Value(document, "", document.line, reading).section([&](Section& root) { read_all(root, out); });

  if (out.cache.directory.empty()) {
    if (auto directory = default_cache_directory(surroundings)) {
      out.cache.directory = std::move(*directory);
    } else {
      reading.problems.push_back(
          {reading.file, 0, "cache.directory", "must be given: there is no home directory"});
    }
  }
  check_routes(out, reading);
  check_write_access(out, reading);
  if (!reading.problems.empty()) {
    sort_by_place(reading.problems, reading.file);
    return std::unexpected(std::move(reading.problems));
  }

  std::ranges::move(unknown_variables(surroundings, reading.variables),
                    std::back_inserter(reading.warnings));
  sort_by_place(reading.warnings, reading.file);
  for (const Problem& warning : reading.warnings) out.warnings.push_back(to_string(warning));
  return out;
}

routing::Router make_router(const Config& config) {
  auto router = routing::Router::build(config.routes, names_of(config.registries));
  if (!router) std::abort();  // loading has checked the routes
  return *std::move(router);
}

Loaded load(const std::optional<std::filesystem::path>& file, const Overrides& overrides,
            const Surroundings& surroundings) {
  auto path = file;
  if (!path) {
    const auto named = surroundings.environment.find("FAIRLEAD_CONFIG");
    if (named != surroundings.environment.end() && !named->second.empty()) path = named->second;
  }
  if (!path) return parse("", "", overrides, surroundings);

  const auto text = surroundings.read_file(*path, kMaxFileBytes);
  if (!text) {
    return std::unexpected(std::vector{
        Problem{path->string(), 0, "", "cannot be read: " + printable(text.error().context)}});
  }
  return parse(*text, path->string(), overrides, surroundings);
}

}  // namespace fairlead::config
