// SPDX-License-Identifier: Apache-2.0
// libpsl's one home. Its built-in list is as old as the distribution's package; that errs towards
// sharing a domain for suffixes opened since, and the host must be the operator's choice anyhow.
#include "upstream/realm_policy.h"

#include <libpsl.h>

#include <algorithm>
#include <stdexcept>

#include "upstream/ascii.h"

namespace fairlead::upstream {

RealmPolicy::RealmPolicy(std::string_view registry_url, std::vector<std::string> token_hosts)
    : token_hosts_(std::move(token_hosts)) {
  auto origin = origin_of(registry_url);
  if (!origin)
    throw std::invalid_argument("not an http or https URL: " + std::string(registry_url));
  registry_ = *std::move(origin);
  for (std::string& host : token_hosts_) host = ascii_lower(host);
}

bool RealmPolicy::may_receive_credentials(std::string_view url) const {
  const auto target = origin_of(url);
  if (!target) return false;
  if (registry_.is_https() && !target->is_https()) return false;
  if (target->host == registry_.host) return true;

  const std::string with_port = target->host + ":" + std::to_string(target->port);
  const bool is_configured = std::ranges::any_of(token_hosts_, [&](const std::string& host) {
    return host == target->host || host == with_port;
  });
  if (is_configured) return true;

  const std::string domain = registrable_domain(registry_.host);
  return !domain.empty() && domain == registrable_domain(target->host);
}

std::string registrable_domain(const std::string& host) {
  if (is_address(host) || host.find('.') == std::string::npos) return {};
  const char* domain = ::psl_registrable_domain(::psl_builtin(), host.c_str());
  return domain == nullptr ? std::string() : std::string(domain);
}

}  // namespace fairlead::upstream
