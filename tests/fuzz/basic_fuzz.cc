// SPDX-License-Identifier: Apache-2.0
// Input: an Authorization value. What is read is bounded and free of control characters.
// Modules: auth upstream async oci telemetry base
#include <algorithm>

#include "auth/basic.h"
#include "fuzz/property.h"

using fairlead::fuzz::check;
using namespace fairlead::auth;

namespace {

bool is_free_of_control(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value = fairlead::fuzz::as_text(data, size);
  const auto parsed = parse_basic(value);
  if (!parsed) return 0;
  check(is_basic(value));
  check(!parsed->user.contains(':'));
  check(parsed->user.size() + 1 + parsed->password.reveal().size() <= kMaxBasicBytes);
  check(is_free_of_control(parsed->user) && is_free_of_control(parsed->password.reveal()));
  return 0;
}
