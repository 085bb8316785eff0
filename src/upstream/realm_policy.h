// SPDX-License-Identifier: Apache-2.0
// RealmPolicy: who may be sent the credentials of a registry.
//
// The attack: a hostile or taken-over registry, or somebody on the way to a plain one, answers
// with `Bearer realm="https://evil.example/token"` and collects the password that the client
// then sends there. So credentials go only
//   - to the registry's own host, on any port (registry.example, token service on :5001);
//   - to hosts of the same registrable domain (registry-1.docker.io -> auth.docker.io,
//     registry.gitlab.com -> gitlab.com), where domains end at a public suffix as the Public
//     Suffix List has it, private ones like github.io included; addresses and single-label names
//     (localhost, zot) have no domain;
//   - to the hosts that the configuration names (`token_hosts`, host or host:port);
// and over https, unless the registry itself is plain http.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "upstream/url.h"

namespace fairlead::upstream {

class RealmPolicy {
 public:
  // Throws std::invalid_argument when `registry_url` is not an http or https URL: configuration
  // has been checked before.
  RealmPolicy(std::string_view registry_url, std::vector<std::string> token_hosts);

  // Whether the credentials may be sent to `url` (a realm, or a mirror that asks for Basic).
  [[nodiscard]] bool may_receive_credentials(std::string_view url) const;

  [[nodiscard]] const WebOrigin& registry() const { return registry_; }

 private:
  WebOrigin registry_;
  std::vector<std::string> token_hosts_;  // lower-case
};

// The shortest suffix of `host` that somebody can register, as "docker.io" of "auth.docker.io";
// empty for addresses, single labels and public suffixes themselves.
std::string registrable_domain(const std::string& host);

}  // namespace fairlead::upstream
