// SPDX-License-Identifier: Apache-2.0
// Router: which registry and repository a request means.
//
// The most specific route wins: host + prefix, host, namespace, longest prefix; an exact host
// before a wildcard, an exact repository before a prefix. Immutable once built, so any thread may
// ask it. Pure: it never invents an upstream from what a client sent; a wildcard only ever
// selects a registry that is configured (the attack: ?ns=169.254.169.254 turns a gateway into a
// way around a firewall).
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "routing/route.h"

namespace fairlead::routing {

// What the router has to know of a registry.
struct RegistryName {
  std::string name;                  // "docker.io"
  bool has_official_images = false;  // Docker Hub: one-component names live under library/
};

struct RouteQuery {
  std::string_view host;        // of the request, without port, any case; empty when unknown
  std::string_view authority;   // the Host header as sent
  std::string_view name_space;  // ?ns=, may carry a port; empty when absent or equal to `authority`
  std::string_view repository;  // valid by the grammar
};

struct Target {
  std::string name;                     // qualified: what rules and tokens call it
  std::string registry;                 // a configured name
  std::string remote_repository;        // valid by the grammar
  const RoutePolicy* policy = nullptr;  // of the route; as long as the router
  std::size_t line = 0;                 // of the route, in the configuration file
};

// No route leads anywhere. A namespace that no route names has none, whatever a prefix would say:
// serving another registry's image of the same name would be wrong.
struct Unrouted {
  std::string name;  // qualified
};

// One way from what a client names to a registry. Others may be in front of it: route() decides.
struct Reach {
  std::string match;     // "bp/" or "": a prefix; "alpine": that one
  std::string registry;  // a configured name
  std::string remote;    // "backplane/" or ""; of an exact match the repository, "library/alpine"
  std::string qualifier{};              // in front of the client's name in a qualified one, or ""
  const RoutePolicy* policy = nullptr;  // of the route; as long as the router

  // Whether `match` is a prefix.
  [[nodiscard]] bool is_prefix() const;

  // The name behind which this way has `remote_repository`; nullopt: it does not lead there.
  [[nodiscard]] std::optional<std::string> name_of(std::string_view remote_repository) const;
};

class Router {
 public:
  // Fails with every problem at once (unknown registry, two routes that mean the same, a `{1}`
  // without a `*`, ...): one Error a problem, context without file and line; `line` of the route.
  struct Problem {
    std::size_t line = 0;
    std::string text;
  };
  static std::expected<Router, std::vector<Problem>> build(
      const std::vector<RouteOptions>& routes, const std::vector<RegistryName>& registries);

  // A qualified name is what the client writes behind the gateway's own address: the repository
  // of the path; with the host, or the namespace, in front where a route by these decides.
  [[nodiscard]] std::expected<Target, Unrouted> route(const RouteQuery& query) const;

  // Every way that a request with that host and namespace may go, but for capabilities; the
  // repository is not looked at.
  [[nodiscard]] std::vector<Reach> reaches(const RouteQuery& query) const;

  // Whether a capability's name is at the beginning of `text` (a path behind /v2/, maybe
  // malformed, percent-decoded): then it must not be shown.
  [[nodiscard]] bool holds_capability(std::string_view host, std::string_view text) const;

  // Whether it may be anywhere in `text`, a target that is not understood, in whatever writing:
  // then it is better not shown.
  [[nodiscard]] bool may_hold_capability(std::string_view text) const;

  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;
  ~Router();

 private:
  struct Table;
  explicit Router(std::unique_ptr<const Table> table);
  std::unique_ptr<const Table> table_;
};

// The routes of a configuration that names none: every registry as a prefix and as a namespace,
// bare names to docker.io.
std::vector<RouteOptions> default_routes(const std::vector<RegistryName>& registries);

}  // namespace fairlead::routing
