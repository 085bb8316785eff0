// SPDX-License-Identifier: Apache-2.0
#include "routing/route_check.h"

#include <algorithm>

#include "oci/glob.h"
#include "oci/name.h"

namespace fairlead::routing {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string quote(std::string_view text) { return "\"" + std::string(text) + "\""; }

// A capability's name stays out of problems too: they go to logs.
std::string shown_match(const RouteOptions& route) {
  return route.policy.is_capability ? "of the capability" : quote(*route.match);
}

// The attack: trying names until one opens.
void check_capability(const RouteOptions& route, std::vector<std::string>& problems) {
  if (!route.policy.is_capability) return;
  if (!route.match || route.match->empty()) {
    problems.emplace_back("a capability needs a match: the name that nobody can guess");
    return;
  }
  std::size_t longest = 0;
  std::size_t begin = 0;
  while (begin < route.match->size()) {
    const std::size_t end = std::min(route.match->find('/', begin), route.match->size());
    longest = std::max(longest, end - begin);
    begin = end + 1;
  }
  if (longest < kMinCapability) {
    problems.push_back("the match of a capability needs a part of at least " +
                       std::to_string(kMinCapability) +
                       " characters that nobody can guess, a random UUID in lower case for one");
  }
}

bool is_prefix(std::string_view match) { return match.empty() || match.ends_with('/'); }

// A repository, or one with '/' behind it, or nothing.
bool is_match(std::string_view match) {
  if (match.ends_with('/'))
    match.remove_suffix(1);
  else if (match.empty())
    return true;
  return oci::is_repository_name(match);
}

// A host name or IPv4 address. (A port would never match: routes see hosts without it.)
bool is_host(std::string_view text) {
  return !text.empty() && !text.starts_with('.') && text.size() <= 253 &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_';
         });
}

void check_shape(const RouteOptions& route, std::vector<std::string>& problems) {
  if (!route.match && !route.host && !route.name_space) {
    problems.emplace_back("a route needs one of match, host and namespace");
  }
  if (route.name_space && (route.match || route.host)) {
    problems.emplace_back("namespace cannot be combined with match or host");
  }
  if (route.match && !is_match(*route.match)) {
    problems.push_back("match " + shown_match(route) +
                       " is neither a repository nor a prefix that ends with '/' (in lower case)");
  }
  if (route.host) {
    const std::string host = to_lower(*route.host);
    const std::string_view suffix = wildcard_suffix(host);
    if (!is_host(suffix.empty() ? std::string_view(host) : suffix.substr(1))) {
      problems.push_back("host " + quote(*route.host) +
                         " is neither a host without port nor \"*.\" and one");
    }
  }
  if (route.name_space && *route.name_space != "*" &&
      (route.name_space->empty() || contains(*route.name_space, "*") ||
       contains(*route.name_space, "/"))) {
    problems.push_back("namespace " + quote(*route.name_space) +
                       " is neither \"*\" nor a host with or without port");
  }
}

// `remote` is the part of `to` behind the registry.
void check_remote(const RouteOptions& route, std::string_view remote, bool is_exact,
                  std::vector<std::string>& problems) {
  // Any valid component may come for "{1}".
  const std::string sample = substitute(remote, "x");
  if (is_exact) {
    if (!oci::is_repository_name(sample)) {
      problems.push_back("to " + quote(route.to) + " does not name the one repository that match " +
                         shown_match(route) + " means");
    }
  } else if (!is_match(sample)) {
    problems.push_back("to " + quote(route.to) + " is not a registry and a repository prefix");
  } else if (!is_prefix(sample)) {
    problems.push_back("to " + quote(route.to) + " must end with '/', as a prefix does");
  }
}

// Globs that together match every repository that the route can lead to, and maybe more: what
// overlaps none of them is certain never to count.
std::vector<std::string> yields_of(const Mapping& mapping, bool is_exact,
                                   const RegistryNames& registries) {
  std::string yield = substitute(mapping.remote, "**");
  if (!is_exact) yield += "**";
  const bool is_one_component = !contains(mapping.remote, "/");
  const auto registry = registries.find(mapping.registry);
  const bool is_open = registry == registries.end();  // "{1}": any of them
  if (!is_one_component || !(is_open || registry->second)) return {std::move(yield)};
  // Official images get their library/, other names have a '/' already.
  std::vector<std::string> yields{"library/" + yield};
  if (!is_exact) yields.emplace_back("**/**");
  if (is_open) yields.push_back(std::move(yield));
  return yields;
}

bool overlaps_any(const std::vector<std::string>& globs, std::string_view pattern) {
  return std::ranges::any_of(
      globs, [&](const std::string& glob) { return oci::globs_overlap(glob, pattern); });
}

// What to write instead of a pattern that matches nothing; empty: nobody knows.
std::string correction(std::string_view pattern, const std::vector<std::string>& yields,
                       const RegistryNames& registries) {
  const std::size_t slash = pattern.find('/');
  if (slash != std::string_view::npos && registries.contains(pattern.substr(0, slash))) {
    return "; patterns here have no registry: write " + quote(pattern.substr(slash + 1));
  }
  const std::string official = "library/" + std::string(pattern);
  if (slash == std::string_view::npos && overlaps_any(yields, official)) {
    return "; official images are below library/: write " + quote(official);
  }
  return {};
}

// A pattern that never matches protects nothing, or serves nothing, and nobody would notice.
void check_patterns(const std::string& key, const std::vector<std::string>& patterns,
                    const RouteOptions& route, const std::vector<std::string>& yields,
                    const RegistryNames& registries, std::vector<std::string>& problems) {
  for (const std::string& pattern : patterns) {
    if (overlaps_any(yields, pattern)) continue;
    problems.push_back(key + " " + quote(pattern) + " matches no repository that " +
                       quote(route.to) + " can lead to" + correction(pattern, yields, registries));
  }
}

}  // namespace

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view wildcard_suffix(std::string_view host) {
  return host.starts_with("*.") ? host.substr(1) : std::string_view();
}

CheckedRoute check_route(const RouteOptions& route, const RegistryNames& registries) {
  CheckedRoute checked{.mapping = {.policy = route.policy, .line = route.line}};
  check_shape(route, checked.problems);
  check_capability(route, checked.problems);

  const bool has_star = (route.host && contains(*route.host, "*")) || route.name_space == "*";
  if (contains(route.to, kPlaceholder) && !has_star) {
    checked.problems.push_back("to " + quote(route.to) +
                               " has a {1}, but there is no * that it could stand for");
  }
  const std::size_t slash = route.to.find('/');
  if (slash == std::string::npos) {
    checked.problems.push_back("to " + quote(route.to) + " has no '/' behind the registry");
    return checked;
  }
  checked.mapping.registry = route.to.substr(0, slash);
  checked.mapping.remote = route.to.substr(slash + 1);
  if (!contains(checked.mapping.registry, kPlaceholder) &&
      !registries.contains(checked.mapping.registry)) {
    checked.problems.push_back("to " + quote(route.to) + ": there is no registry " +
                               quote(checked.mapping.registry));
  }
  const bool is_exact = route.match && !is_prefix(*route.match);
  check_remote(route, checked.mapping.remote, is_exact, checked.problems);
  if (!checked.problems.empty()) return checked;  // what it leads to is not known
  const auto yields = yields_of(checked.mapping, is_exact, registries);
  const RoutePolicy& policy = route.policy;
  check_patterns("repositories", policy.repositories, route, yields, registries, checked.problems);
  check_patterns("deny", policy.deny, route, yields, registries, checked.problems);
  return checked;
}

}  // namespace fairlead::routing
