// SPDX-License-Identifier: Apache-2.0
#include "config/builtin.h"

#include <string_view>

namespace fairlead::config {

std::vector<upstream::RegistryOptions> builtin_registries() {
  std::vector<upstream::RegistryOptions> out{
      {.name = "docker.io", .url = "https://registry-1.docker.io"}};
  for (const std::string name : {"ghcr.io", "quay.io", "gcr.io", "registry.k8s.io",
                                 "mcr.microsoft.com", "public.ecr.aws", "registry.gitlab.com"}) {
    out.push_back({.name = name, .url = "https://" + name});
  }
  return out;
}

std::optional<std::string> default_cache_directory(const Surroundings& surroundings) {
  // Relative paths are to be ignored here (XDG Base Directory Specification).
  const auto absolute = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = surroundings.environment.find(name);
    if (found == surroundings.environment.end() || !found->second.starts_with('/')) return {};
    return found->second;
  };
  if (const auto cache = absolute("XDG_CACHE_HOME")) return *cache + "/fairlead";
  if (surroundings.is_superuser) return "/var/cache/fairlead";
  if (const auto home = absolute("HOME")) return *home + "/.cache/fairlead";
  return std::nullopt;
}

}  // namespace fairlead::config
