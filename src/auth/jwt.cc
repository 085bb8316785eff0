// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>

#include "auth/base64url.h"
#include "auth/json_object.h"

namespace fairlead::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxKid = 256;

std::unexpected<Error> refused(std::string what) {
  return client_error(Code::Unauthorized, std::move(what));
}

struct Parts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;  // header and claims, with the dot between
};

Result<Parts> split(std::string_view token) {
  if (token.size() > kMaxJwt) return refused("the token is above 16 KiB");
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == std::string_view::npos || first == last) {
    return refused("the token is not a JWT of three parts");
  }
  const Parts parts{.header = token.substr(0, first),
                    .claims = token.substr(first + 1, last - first - 1),
                    .signature = token.substr(last + 1),
                    .signed_text = token.substr(0, last)};
  if (parts.header.empty() || parts.signature.empty()) return refused("the token is not signed");
  return parts;
}

std::optional<json::object> read_part(std::string_view part) {
  const auto text = base64url_decode(part);
  return text ? parse_json_object(*text) : std::nullopt;
}

// Explicit typing (RFC 8725, 3.11). The attack: a token that the issuer signed for something else,
// a logout notice (logout+jwt) say, shown as one that gives access.
bool is_access_type(const json::value& type) {
  if (!type.is_string()) return false;
  std::string name(type.get_string());
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return !name.ends_with("+jwt") || name == "at+jwt" || name == "application/at+jwt";
}

Result<JwtHeader> read_header(std::string_view part) {
  const auto object = read_part(part);
  if (!object) return refused("the token's header is malformed");
  if (object->contains("crit")) return refused("the token's header has a `crit` that is not known");
  const auto* type = object->if_contains("typ");
  if (type != nullptr && !is_access_type(*type)) return refused("the token's type is another one");

  const auto* name = object->if_contains("alg");
  const auto algorithm = name != nullptr && name->is_string()
                             ? parse_jwt_algorithm(std::string_view(name->get_string()))
                             : std::nullopt;
  if (!algorithm) return refused("the token's algorithm is not accepted");
  JwtHeader header{.algorithm = *algorithm, .kid = {}};
  if (const auto* kid = object->if_contains("kid")) {
    if (!kid->is_string() || kid->get_string().size() > kMaxKid) {
      return refused("the token's key id is malformed");
    }
    header.kid = std::string_view(kid->get_string());
  }
  return header;
}

}  // namespace

bool JwtHeader::fits(const SignatureKey& key) const {
  return key.algorithm() == algorithm && (kid.empty() || key.kid().empty() || key.kid() == kid);
}

bool UnverifiedJwt::is_signed_by(const SignatureKey& key) const {
  return header.fits(key) && key.verifies(signed_text, signature);
}

bool is_jwt_shaped(std::string_view text) {
  const auto parts = split(text);
  const auto header = parts ? read_part(parts->header) : std::nullopt;
  return header && header->contains("alg");
}

Result<JwtHeader> read_jwt_header(std::string_view token) {
  const auto parts = split(token);
  if (!parts) return std::unexpected(parts.error());
  return read_header(parts->header);
}

Result<UnverifiedJwt> read_jwt(std::string_view token) {
  const auto parts = split(token);
  if (!parts) return std::unexpected(parts.error());
  auto header = read_header(parts->header);
  if (!header) return std::unexpected(std::move(header.error()));
  auto claims = read_part(parts->claims);
  if (!claims) return refused("the token's claims are malformed");
  auto signature = base64url_decode(parts->signature);
  if (!signature) return refused("the token's signature is malformed");
  return UnverifiedJwt{.header = *std::move(header),
                       .claims = *std::move(claims),
                       .signed_text = std::string(parts->signed_text),
                       .signature = *std::move(signature)};
}

Result<json::object> verify_jwt(std::string_view token, const JwtKey& key) {
  const auto signature_key = SignatureKey::read(key);
  if (!signature_key) return std::unexpected(signature_key.error());
  auto jwt = read_jwt(token);
  if (!jwt) return std::unexpected(std::move(jwt.error()));
  if (!jwt->header.fits(*signature_key)) return refused("the token is not for this key");
  if (!jwt->is_signed_by(*signature_key)) return refused("the token's signature is wrong");
  return std::move(jwt->claims);
}

Result<std::string> sign_jwt(const json::object& claims, const JwtKey& key) {
  const auto signature_key = SignatureKey::read(key);
  if (!signature_key) return std::unexpected(signature_key.error());
  json::object header{{"alg", json::string_view(to_string(key.algorithm))}, {"typ", "JWT"}};
  if (!key.kid.empty()) header.emplace("kid", key.kid);
  std::string token =
      base64url_encode(json::serialize(header)) + '.' + base64url_encode(json::serialize(claims));
  const auto signature = signature_key->sign(token);
  if (!signature) return std::unexpected(signature.error());
  token += '.';
  token += base64url_encode(*signature);
  if (token.size() > kMaxJwt) {
    return internal_error(Code::TooLarge, "the token would be above 16 KiB");
  }
  return token;
}

Result<void> check_key(const JwtKey& key) {
  if (auto read = SignatureKey::read(key); !read) return std::unexpected(std::move(read.error()));
  return {};
}

}  // namespace fairlead::auth
