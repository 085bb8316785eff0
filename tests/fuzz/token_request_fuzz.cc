// SPDX-License-Identifier: Apache-2.0
// Input: a line of 'q' (query) or 'f' (form), then the text. What is read is bounded, can be shown
// in a header, and a scope that was read is read again from what we write.
// Modules: auth oci base
#include <algorithm>
#include <string>

#include "auth/token_request.h"
#include "fuzz/property.h"

using fairlead::fuzz::check;
using namespace fairlead::auth;

namespace {

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void check_request(const TokenRequest& request) {
  check(request.scopes.size() <= kMaxScopes);
  check(request.service.size() <= 512 && is_plain(request.service));
  if (request.username) check(request.username->size() <= 256 && is_plain(*request.username));
  for (const Scope& scope : request.scopes) {
    check(!scope.name.empty() && !scope.type.empty());
    if (!scope.is_repository()) continue;
    const auto again = parse_scope(write_scope(scope.name, scope.actions));
    check(again && again->name == scope.name && again->actions == scope.actions);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fairlead::fuzz::as_text(data, size);
  const bool is_form = fairlead::fuzz::take_line(input) == "f";
  const auto request = is_form ? parse_token_form(input) : parse_token_query(input);
  if (request) check_request(*request);
  return 0;
}
