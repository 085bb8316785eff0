// SPDX-License-Identifier: Apache-2.0
// Input, a line each: host, authority, namespace, repository; then match, host, namespace and `to`
// of one route ("-": not given). Only configured registries and valid repositories come out.
// Modules: routing oci
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/property.h"
#include "oci/name.h"
#include "routing/router.h"

using fairlead::fuzz::check;
using fairlead::fuzz::take_line;
using namespace fairlead::routing;

namespace {

const std::vector<RegistryName> kRegistries{
    {.name = "docker.io", .has_official_images = true}, {.name = "ghcr.io"}, {.name = "zot:5000"}};

const std::vector<RouteOptions> kRoutes{
    {.match = "alpine", .to = "docker.io/library/alpine"},
    {.match = "bp/", .to = "docker.io/backplane/"},
    {.match = "", .to = "zot:5000/"},
    {.match = "bp/", .host = "a.example", .to = "ghcr.io/x/"},
    {.host = "*.mirror.example", .to = "{1}/"},
    {.host = "*.example", .to = "ghcr.io/{1}/{1}/"},
    {.name_space = "*", .to = "{1}/"},
};

std::optional<std::string> take_option(std::string_view& text) {
  const std::string_view line = take_line(text);
  return line == "-" ? std::nullopt : std::optional(std::string(line));
}

void check_answer(const Router& router, const RouteQuery& query) {
  const auto target = router.route(query);
  if (!target) return;
  check(std::ranges::find(kRegistries, target->registry, &RegistryName::name) != kRegistries.end());
  check(fairlead::oci::is_repository_name(target->remote_repository));
  check(target->registry != "docker.io" || target->remote_repository.contains('/'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Router fixed = *Router::build(kRoutes, kRegistries);
  std::string_view input = fairlead::fuzz::as_text(data, size);
  RouteQuery query;
  query.host = take_line(input);
  query.authority = take_line(input);
  query.name_space = take_line(input);
  query.repository = take_line(input);
  if (!fairlead::oci::is_repository_name(query.repository)) return 0;
  check_answer(fixed, query);

  RouteOptions route{.match = take_option(input),
                     .host = take_option(input),
                     .name_space = take_option(input),
                     .to = std::string(take_line(input)),
                     .line = 1};
  const auto router = Router::build({route}, kRegistries);
  if (router) {
    check_answer(*router, query);
    check(!Router::build({route, route}, kRegistries));
  } else {
    check(!router.error().empty());
  }
  return 0;
}
