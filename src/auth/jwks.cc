// SPDX-License-Identifier: Apache-2.0
#include "auth/jwks.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <utility>

#include "auth/base64url.h"
#include "auth/json_object.h"
#include "auth/jwk_pem.h"
#include "auth/jwt.h"

namespace fairlead::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxKid = 256;

// nullopt when it is absent or no text.
std::optional<std::string_view> text_of(const json::object& jwk, std::string_view name) {
  const auto* member = jwk.if_contains(name);
  const auto* text = member == nullptr ? nullptr : member->if_string();
  if (text == nullptr) return std::nullopt;
  return std::string_view(*text);
}

std::optional<std::string> bytes_of(const json::object& jwk, std::string_view name) {
  const auto text = text_of(jwk, name);
  return text ? base64url_decode(*text) : std::nullopt;
}

// RFC 7517, 4.2 and 4.3: both are optional, and say what the key is for.
bool is_for_signatures(const json::object& jwk) {
  if (jwk.contains("use") && text_of(jwk, "use") != "sig") return false;
  const auto* operations = jwk.if_contains("key_ops");
  if (operations == nullptr) return true;
  const auto* list = operations->if_array();
  return list != nullptr && std::ranges::any_of(*list, [](const json::value& operation) {
           return operation.is_string() && operation.get_string() == "verify";
         });
}

// What the key says of itself, else `otherwise`; nullopt: something that is not accepted.
std::optional<JwtAlgorithm> algorithm_of(const json::object& jwk, JwtAlgorithm otherwise) {
  if (!jwk.contains("alg")) return otherwise;
  const auto name = text_of(jwk, "alg");
  return name ? parse_jwt_algorithm(*name) : std::nullopt;
}

struct PublicKey {
  JwtAlgorithm algorithm;
  std::string pem;
};

std::optional<PublicKey> read_rsa(const json::object& jwk, JwtAlgorithm otherwise) {
  const auto algorithm = algorithm_of(jwk, otherwise);
  const auto modulus = bytes_of(jwk, "n");
  const auto exponent = bytes_of(jwk, "e");
  if (!algorithm || !modulus || !exponent) return std::nullopt;
  auto pem = rsa_public_pem(*modulus, *exponent);
  if (!pem) return std::nullopt;
  return PublicKey{.algorithm = *algorithm, .pem = *std::move(pem)};
}

std::optional<PublicKey> read_ec(const json::object& jwk) {
  const auto curve = text_of(jwk, "crv");
  if (curve != "P-256" && curve != "P-384") return std::nullopt;
  const bool is_256 = curve == "P-256";
  const JwtAlgorithm own = is_256 ? JwtAlgorithm::ES256 : JwtAlgorithm::ES384;
  const auto x = bytes_of(jwk, "x");
  const auto y = bytes_of(jwk, "y");
  if (algorithm_of(jwk, own) != own || !x || !y) return std::nullopt;
  auto pem = ec_public_pem(is_256 ? KeyType::P256 : KeyType::P384, *x, *y);
  if (!pem) return std::nullopt;
  return PublicKey{.algorithm = own, .pem = *std::move(pem)};
}

std::optional<JwtKey> read_jwk(const json::value& value, JwtAlgorithm rsa_algorithm) {
  const auto* jwk = value.if_object();
  if (jwk == nullptr || !is_for_signatures(*jwk)) return std::nullopt;
  const auto kid = text_of(*jwk, "kid");
  if ((jwk->contains("kid") && !kid) || (kid && kid->size() > kMaxKid)) return std::nullopt;
  const auto type = text_of(*jwk, "kty");
  std::optional<PublicKey> read;
  if (type == "RSA") read = read_rsa(*jwk, rsa_algorithm);
  if (type == "EC") read = read_ec(*jwk);
  if (!read) return std::nullopt;
  JwtKey key{.algorithm = read->algorithm,
             .material = Secret(std::move(read->pem)),
             .kid = std::string(kid.value_or(""))};
  if (!check_key(key)) return std::nullopt;  // an RSA key that says `alg: HS256`, for one
  return key;
}

}  // namespace

Result<std::vector<JwtKey>> parse_jwks(std::string_view document,
                                       std::optional<JwtAlgorithm> rsa_algorithm) {
  if (document.size() > kMaxJwks) {
    return upstream_error(Code::TooLarge, Retry::No, "the key set is above 256 KiB");
  }
  const auto object = parse_json_object(document);
  const auto* member = object ? object->if_contains("keys") : nullptr;
  const auto* list = member == nullptr ? nullptr : member->if_array();
  if (list == nullptr) {
    return upstream_error(Code::Corrupt, Retry::No, "this is no JSON Web Key Set");
  }
  if (list->size() > kMaxJwksKeys) {
    return upstream_error(Code::TooLarge, Retry::No, "the key set has more than 100 keys");
  }
  std::vector<JwtKey> keys;
  for (const auto& value : *list) {
    auto key = read_jwk(value, rsa_algorithm.value_or(JwtAlgorithm::RS256));
    if (key) keys.push_back(*std::move(key));
  }
  return keys;
}

}  // namespace fairlead::auth
