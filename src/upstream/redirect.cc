// SPDX-License-Identifier: Apache-2.0
#include "upstream/redirect.h"

namespace fairlead::upstream {

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool may_send_us_to(const WebOrigin& registry, const WebOrigin& target) {
  if (registry.is_https() && !target.is_https()) return false;
  const bool has_internal_neighbours = !registry.is_https() || is_internal_host(registry.host);
  return has_internal_neighbours || target.host == registry.host || !is_internal_host(target.host);
}

Result<RedirectTarget> redirect_target(std::string_view registry_url, std::string_view current_url,
                                       std::string_view location) {
  const auto registry = origin_of(registry_url);
  const auto current = origin_of(current_url);
  const auto url = resolve_url(current_url, location);
  const auto target = url ? origin_of(*url) : std::nullopt;
  if (!registry || !current || !target) {
    return upstream_error(Code::Corrupt, Retry::No,
                          "the upstream redirects to something that is not an http or https URL");
  }
  if (!may_send_us_to(*registry, *target)) {
    return upstream_error(Code::Denied, Retry::No,
                          "the upstream redirects to " + target->scheme + "://" + target->host +
                              ", which a public https registry has no business with");
  }
  return RedirectTarget{.url = *url, .keeps_authorization = *target == *current};
}

}  // namespace fairlead::upstream
