// SPDX-License-Identifier: Apache-2.0
// Input: a key set. The keys that are read of it are few, sound, public, and for one algorithm.
// Modules: auth upstream oci telemetry async base
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "fuzz/property.h"

using fairlead::fuzz::check;
using namespace fairlead::auth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto keys = parse_jwks(fairlead::fuzz::as_text(data, size));
  if (!keys) return 0;
  check(keys->size() <= kMaxJwksKeys);
  for (const JwtKey& key : *keys) {
    check(!is_symmetric(key.algorithm));
    check(check_key(key).has_value());
    check(!sign_jwt({}, key).has_value());
    check(key.kid.size() <= 256);
  }
  return 0;
}
