// SPDX-License-Identifier: Apache-2.0
#include "upstream/realm_policy.h"

#include <gtest/gtest.h>

namespace fairlead::upstream {
namespace {

struct Case {
  std::string registry;
  std::vector<std::string> token_hosts;
  std::string realm;
  bool may = false;
};

TEST(RealmPolicy, SendsCredentialsWithinTheRegistrysDomainOnly) {
  const Case cases[] = {
      // the registries that people use
      {"https://registry-1.docker.io", {}, "https://auth.docker.io/token", true},
      {"https://registry.gitlab.com", {}, "https://gitlab.com/jwt/auth", true},
      {"https://ghcr.io", {}, "https://ghcr.io/token", true},
      {"https://quay.io", {}, "https://QUAY.io:443/v2/auth", true},
      // another domain, and names that only look like the same
      {"https://registry-1.docker.io", {}, "https://evil.example/token", false},
      {"https://registry-1.docker.io", {}, "https://docker.io.evil.example/token", false},
      {"https://registry-1.docker.io", {}, "https://evildocker.io/token", false},
      {"https://registry-1.docker.io", {}, "https://auth.docker.io@evil.example/token", false},
      {"https://registry-1.docker.io", {}, "//auth.docker.io/token", false},
      {"https://registry-1.docker.io", {}, "ftp://auth.docker.io/token", false},
      {"https://registry-1.docker.io", {}, "https://auth.docker.io\\.evil.example/", false},
      {"https://registry-1.docker.io", {}, "https://auth.docker.io%2f.evil.example/", false},
      // public suffixes are nobody's domain
      {"https://victim.co.uk", {}, "https://evil.co.uk/token", false},
      {"https://victim.github.io", {}, "https://evil.github.io/token", false},
      {"https://registry.victim.co.uk", {}, "https://auth.victim.co.uk/token", true},
      // in the clear
      {"https://registry-1.docker.io", {}, "http://auth.docker.io/token", false},
      {"http://registry.example.com", {}, "http://auth.example.com/token", true},
      {"http://registry.example.com", {}, "https://auth.example.com/token", true},
      // addresses and single labels: the same host, any port
      {"http://127.0.0.1:5000", {}, "http://127.0.0.1:5001/token", true},
      {"http://127.0.0.1:5000", {}, "http://127.0.0.2:5001/token", false},
      {"http://localhost:5000", {}, "http://localhost:5001/token", true},
      {"http://zot:5000", {}, "http://evil:5000/token", false},
      {"https://[::1]:5000", {}, "https://[::1]:5001/token", true},
      {"https://10.0.0.1", {}, "https://1.10.0.0.1/token", false},
      // configured
      {"https://reg.corp.example", {"auth.other.example"}, "https://auth.other.example/t", true},
      {"https://reg.corp.example", {"Auth.Other.Example"}, "https://auth.OTHER.example/t", true},
      {"https://reg.corp.example",
       {"auth.other.example:8443"},
       "https://auth.other.example:8443/",
       true},
      {"https://reg.corp.example",
       {"auth.other.example:8443"},
       "https://auth.other.example/",
       false},
      {"https://reg.corp.example", {"auth.other.example"}, "https://x.auth.other.example/", false},
      {"https://reg.corp.example", {"auth.other.example"}, "http://auth.other.example/t", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(RealmPolicy(c.registry, c.token_hosts).may_receive_credentials(c.realm), c.may)
        << c.registry << " -> " << c.realm;
  }
}

TEST(RealmPolicy, NeedsARegistryUrl) {
  EXPECT_THROW(RealmPolicy("registry.example", {}), std::invalid_argument);
}

TEST(RealmPolicy, KnowsWhereDomainsEnd) {
  EXPECT_EQ(registrable_domain("auth.docker.io"), "docker.io");
  EXPECT_EQ(registrable_domain("docker.io"), "docker.io");
  EXPECT_EQ(registrable_domain("co.uk"), "");
  EXPECT_EQ(registrable_domain("10.0.0.1"), "");
  EXPECT_EQ(registrable_domain("localhost"), "");
}

}  // namespace
}  // namespace fairlead::upstream
