// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt_claims.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "auth/access_claim.h"

namespace fairlead::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxName = 256;
constexpr std::int64_t kMaxSeconds = 253'402'300'799;  // the end of the year 9999

std::unexpected<Error> refused(std::string what) {
  return client_error(Code::Unauthorized, std::move(what));
}

// A NumericDate: seconds since 1970, perhaps with a fraction, which is dropped. The attack: 1e400,
// -1 or 1e18, which become infinite or wrap around where they are turned into a time; "1700000000"
// is a mistake that would compare as nothing does.
std::optional<std::int64_t> seconds_of(const json::value& value) {
  std::int64_t seconds = -1;
  if (const auto* number = value.if_int64()) seconds = *number;
  if (const auto* number = value.if_double()) {
    const bool is_sane =
        std::isfinite(*number) && *number >= 0 && *number <= static_cast<double>(kMaxSeconds);
    if (is_sane) seconds = static_cast<std::int64_t>(*number);
  }
  if (seconds < 0 || seconds > kMaxSeconds) return std::nullopt;
  return seconds;
}

Result<std::optional<std::int64_t>> read_time(const json::object& claims, std::string_view name) {
  const auto* claim = claims.if_contains(name);
  if (claim == nullptr) return std::nullopt;
  const auto seconds = seconds_of(*claim);
  if (!seconds) return refused("the token's claim `" + std::string(name) + "` is malformed");
  return seconds;
}

// The clock of this platform ends in the year 2262.
WallTime wall_time(std::int64_t seconds) {
  constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(WallTime::max());
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  return time >= kLast ? WallTime::max() : WallTime(time);
}

Result<WallTime> read_times(const json::object& claims, std::chrono::seconds skew, WallTime now) {
  const auto expires = read_time(claims, "exp");
  const auto not_before = read_time(claims, "nbf");
  const auto issued = read_time(claims, "iat");
  for (const auto* time : {&expires, &not_before, &issued}) {
    if (!*time) return std::unexpected(time->error());
  }
  if (!*expires) return refused("the token has no claim `exp`");
  const std::int64_t seconds =
      std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (seconds >= **expires + skew.count()) return refused("the token has expired");
  const std::int64_t latest = seconds + skew.count();
  if (*not_before && **not_before > latest) return refused("the token is not valid yet");
  if (*issued && **issued > latest) return refused("the token was issued in the future");
  return wall_time(**expires);
}

bool is_text(const json::value& value, std::string_view text) {
  return value.is_string() && std::string_view(value.get_string()) == text;
}

bool is_for(const json::object& claims, std::string_view audience) {
  if (audience.empty()) return true;
  const auto* claim = claims.if_contains("aud");
  if (claim == nullptr) return false;
  const auto* list = claim->if_array();
  if (list == nullptr) return is_text(*claim, audience);
  return std::ranges::any_of(*list, [&](const auto& value) { return is_text(value, audience); });
}

// The name goes into logs and is compared with rules, where `anonymous` means somebody else.
Result<std::string> read_name(const json::object& claims) {
  const auto* claim = claims.if_contains("sub");
  if (claim == nullptr) return std::string();
  if (!claim->is_string()) return refused("the token's claim `sub` is malformed");
  const std::string_view name = claim->get_string();
  const bool is_printable = std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f; });
  if (name.size() > kMaxName || !is_printable || name == "anonymous") {
    return refused("the token's claim `sub` is no usable name");
  }
  return std::string(name);
}

}  // namespace

bool is_issued_by(const json::object& claims, const ClaimRules& rules) {
  if (rules.issuer.empty()) return true;
  const auto* claim = claims.if_contains("iss");
  return claim != nullptr && is_text(*claim, rules.issuer);
}

Result<Caller> read_claims(const json::object& claims, const ClaimRules& rules, WallTime now) {
  if (!is_issued_by(claims, rules)) return refused("the token is of another issuer");
  if (!is_for(claims, rules.audience)) return refused("the token is for another audience");
  const auto expires = read_times(claims, rules.skew, now);
  if (!expires) return std::unexpected(expires.error());
  auto name = read_name(claims);
  if (!name) return std::unexpected(std::move(name.error()));
  auto access = read_access_claim(claims);
  if (!access) return std::unexpected(std::move(access.error()));
  Caller caller;
  caller.kind = Caller::Kind::Issued;
  caller.name = *std::move(name);
  caller.access = *std::move(access);
  caller.expires = *expires;
  return caller;
}

}  // namespace fairlead::auth
