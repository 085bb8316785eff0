// SPDX-License-Identifier: Apache-2.0
// Input: a token; or, with line feeds, a header and claims, which are signed here. Nothing is taken
// that the keys have not signed; what they have signed reads as it was written.
// Modules: auth upstream oci telemetry async base
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "auth/base64url.h"
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "auth/jwt_claims.h"
#include "fuzz/property.h"

using fairlead::fuzz::check;
using namespace fairlead;
using namespace fairlead::auth;

namespace {

// The public keys of RFC 7515, A.2 and A.3; no seed holds a token that they sign.
constexpr std::string_view kKeySet =
    R"({"keys":[{"kty":"RSA","e":"AQAB","n":)"
    R"("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0)"
    R"(Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5)"
    R"(z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7a)"
    R"(GhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},)"
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

const std::vector<SignatureKey>& keys() {
  static const std::vector<SignatureKey> read = [] {
    std::vector<SignatureKey> signature_keys;
    const auto published = parse_jwks(kKeySet);
    check(published && published->size() == 2);
    for (const JwtKey& key : *published) signature_keys.push_back(*SignatureKey::read(key));
    return signature_keys;
  }();
  return read;
}

const SignatureKey& secret() {
  static const SignatureKey key =
      *SignatureKey::read({JwtAlgorithm::HS256, Secret("not a secret, but not in a seed either")});
  return key;
}

void read_bearer(const boost::json::object& claims) {
  const ClaimRules rules;
  const WallTime now(std::chrono::seconds(1'800'000'000));
  const auto caller = read_claims(claims, rules, now);
  if (!caller) {
    check(caller.error().code == Code::Unauthorized && caller.error().origin == Origin::Client);
    return;
  }
  check(caller->kind == Caller::Kind::Issued && caller->name.size() <= 256);
  check(caller->expires > now - rules.skew);
  check(caller->access.has_value() == claims.contains("access"));
  if (caller->access) check(caller->access->entries().size() <= AccessList::kMaxEntries);
}

void read_foreign(std::string_view token) {
  const auto header = read_jwt_header(token);
  const auto jwt = read_jwt(token);
  check(header || !jwt);
  if (header) check(is_jwt_shaped(token) && header->kid.size() <= 256);
  if (!jwt) return;
  check(token == jwt->signed_text + '.' + base64url_encode(jwt->signature));
  for (const SignatureKey& key : keys()) check(!jwt->is_signed_by(key));
  check(!jwt->is_signed_by(secret()));
  read_bearer(jwt->claims);
}

void read_own(std::string_view header, std::string_view claims) {
  const std::string text = base64url_encode(header) + '.' + base64url_encode(claims);
  const auto signature = secret().sign(text);
  check(signature.has_value());
  const auto jwt = read_jwt(text + '.' + base64url_encode(*signature));
  if (!jwt) return;
  check(jwt->is_signed_by(secret()) == (jwt->header.algorithm == JwtAlgorithm::HS256));
  read_bearer(jwt->claims);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fairlead::fuzz::as_text(data, size);
  if (!input.contains('\n')) {
    read_foreign(input);
    return 0;
  }
  const std::string_view header = fairlead::fuzz::take_line(input);
  read_own(header, input);
  return 0;
}
