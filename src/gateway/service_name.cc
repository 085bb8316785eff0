// SPDX-License-Identifier: Apache-2.0
#include "gateway/service_name.h"

#include <algorithm>

namespace fairlead::gateway {
namespace {

constexpr std::string_view kNameSpace = "?ns=";

}  // namespace

std::string write_service(const ServiceName& service) {
  if (service.name_space.empty()) return service.authority;
  return service.authority + std::string(kNameSpace) + service.name_space;
}

ServiceName parse_service(std::string_view text) {
  const auto at = text.find(kNameSpace);
  if (at == std::string_view::npos) return {.authority = std::string(text), .name_space = {}};
  return {.authority = std::string(text.substr(0, at)),
          .name_space = std::string(text.substr(at + kNameSpace.size()))};
}

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.rfind(':'));
}

bool is_authority(std::string_view text) {
  return !text.empty() && text.size() <= 260 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

}  // namespace fairlead::gateway
