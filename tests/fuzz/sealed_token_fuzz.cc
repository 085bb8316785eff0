// SPDX-License-Identifier: Apache-2.0
// Input: a token that somebody shows, or the payload of one that we sealed. The first is never
// opened; of the second everything is bounded, and written again it reads the same.
// Modules: auth upstream oci telemetry async base
#include <algorithm>
#include <string>

#include "auth/base64url.h"
#include "auth/paseto.h"
#include "auth/sealed_token.h"
#include "auth/token_payload.h"
#include "fuzz/property.h"

using fairlead::Secret;
using fairlead::WallTime;
using fairlead::fuzz::check;
using namespace fairlead::auth;

namespace {

const Secret& key() {
  static const Secret hex = LocalKey::random().hex();
  return hex;
}

TokenKeys make_keys() { return *TokenKeys::parse({&key(), 1}); }

void check_bounds(const Caller& caller) {
  check(caller.is_sealed && caller.name.size() <= kMaxCallerName);
  check(caller.relayed.size() <= kMaxRelayedLogins);
  for (const RelayedLogin& login : caller.relayed) {
    check(login.authorization.reveal().size() <= kMaxAuthorization);
    check(std::ranges::all_of(login.authorization.reveal(),
                              [](char c) { return c >= ' ' && c <= '~'; }));
  }
  if (!caller.access) return;
  check(caller.access->entries().size() <= AccessList::kMaxEntries);
  for (const Access& entry : caller.access->entries()) {
    check(entry.name.size() <= kMaxQualifiedName);
    check(entry.name.empty() == (entry.reach == Access::Reach::All));
  }
}

void check_same(const TokenPayload& a, const TokenPayload& b) {
  check(a.caller.kind == b.caller.kind && a.caller.name == b.caller.name);
  check(a.caller.access == b.caller.access && a.caller.relayed == b.caller.relayed);
  check(a.caller.expires == b.caller.expires && a.issued == b.issued);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TokenKeys keys = make_keys();
  static const SealedTokens tokens(make_keys());
  const std::string_view input = fairlead::fuzz::as_text(data, size);

  if (const auto bytes = base64url_decode(input)) check(base64url_encode(*bytes) == input);
  if (const auto footer = paseto::footer_of(input)) check(footer->size() < input.size());
  check(!tokens.open(input, WallTime()));

  const auto payload = read_token_payload(input);
  const std::string sealed = keys.seal(input, kSealedTokenAssertion);
  check(keys.open(sealed, kSealedTokenAssertion) == input);
  if (!payload) {
    check(payload.error().code == fairlead::Code::Unauthorized);
    check(!tokens.open(sealed, WallTime()));
    return 0;
  }
  check_bounds(payload->caller);
  const bool holds = payload->caller.expires > payload->issued;
  check(tokens.open(sealed, payload->issued).has_value() == holds);
  const auto again = read_token_payload(
      write_token_payload(payload->caller, payload->issued, payload->caller.expires));
  check(again.has_value());
  check_same(*again, *payload);
  return 0;
}
