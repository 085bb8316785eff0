// SPDX-License-Identifier: Apache-2.0
// RegistryOptions: one registry that we pull from.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"

namespace fairlead::upstream {

struct Timeouts {
  std::chrono::milliseconds connect{std::chrono::seconds(5)};      // TCP and TLS
  std::chrono::milliseconds first_byte{std::chrono::seconds(30)};  // request sent to head received
  std::chrono::milliseconds stall{std::chrono::seconds(30)};       // between two pieces of a body
};

struct StaticCredentials {
  std::string username;
  Secret password;
};

struct RegistryOptions {
  std::string name;                  // as routes call it: "docker.io"
  std::string url;                   // "https://registry-1.docker.io", no trailing slash, no path
  std::vector<std::string> mirrors;  // same form; tried in turn when `url` does not answer
  std::optional<StaticCredentials> credentials;  // at most one of this
  std::vector<std::string> credential_helper;    // and this: argv of a docker credential helper
  bool relays_credentials = false;               // or this: the caller's own are used
  std::vector<std::string> token_hosts;  // may receive the credentials besides the registry's own
  std::string ca_file;                   // PEM, instead of the system's; empty: the system's
  std::string proxy;                     // empty: from the environment
  Timeouts timeouts;
  bool in_catalog = false;  // its repositories are named in our own catalog

  // Docker Hub keeps its official images under library/.
  [[nodiscard]] bool is_docker_hub() const {
    return url == "https://registry-1.docker.io" || url == "https://index.docker.io";
  }
};

}  // namespace fairlead::upstream
