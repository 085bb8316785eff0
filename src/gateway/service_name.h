// SPDX-License-Identifier: Apache-2.0
// ServiceName: what a challenge calls this service, so that the token service knows how the client
// got here. A scope has only the repository of a path, which host and namespace may have decided
// the meaning of:
//
//   registry.example.com:5000
//   mirror.example.com?ns=docker.io
//
// Pure; what comes back is hostile.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::gateway {

struct ServiceName {
  std::string authority;   // the Host that the client used, port included
  std::string name_space;  // ?ns=; empty: none
};

std::string write_service(const ServiceName& service);
ServiceName parse_service(std::string_view text);

// "[::1]:5000" -> "[::1]", "a.example:5000" -> "a.example".
std::string_view without_port(std::string_view authority);

// Whether it can stand in a URL: letters, digits and . - _ : [ ] only.
bool is_authority(std::string_view text);

}  // namespace fairlead::gateway
