// SPDX-License-Identifier: Apache-2.0
#include "s3/credential_document.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <utility>

namespace fairlead::s3 {
namespace {

std::unexpected<Error> corrupt(std::string what) {
  return upstream_error(Code::Corrupt, Retry::Yes, std::move(what));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

// What both kinds of document lead to.
Result<S3Credentials> checked(S3Credentials credentials) {
  if (!check_credentials(credentials)) return corrupt("answers no usable credentials");
  return credentials;
}

// The element's text, when it is there once and holds neither markup nor references: keys and
// tokens of AWS, MinIO and Ceph are base64 and the like, and times are times.
std::optional<std::string> element(std::string_view xml, std::string_view name) {
  const std::string begin = "<" + std::string(name) + ">";
  const std::string end = "</" + std::string(name) + ">";
  const std::size_t at = xml.find(begin);
  if (at == std::string_view::npos) return std::nullopt;
  xml.remove_prefix(at + begin.size());
  const std::size_t size = xml.find(end);
  if (size == std::string_view::npos || xml.find(begin) != std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view text = xml.substr(0, size);
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  if (text.find_first_of("<&") != std::string_view::npos) return std::nullopt;
  return std::string(text);
}

}  // namespace

Result<S3Credentials> parse_metadata_credentials(std::string_view json) {
  if (json.size() > kMaxCredentialDocument) return corrupt("answers too much");
  boost::system::error_code ec;
  const auto value = boost::json::parse(json, ec);
  const auto* object = ec ? nullptr : value.if_object();
  if (object == nullptr) return corrupt("answers no JSON object");
  const auto text = [object](const char* name) -> std::optional<std::string> {
    const auto* member = object->if_contains(name);
    const auto* string = member == nullptr ? nullptr : member->if_string();
    if (string == nullptr) return std::nullopt;
    return std::string(string->data(), string->size());
  };
  if (const auto code = text("Code"); code && *code != "Success") {
    return upstream_error(Code::Unavailable, Retry::Yes, "has no credentials for this role");
  }
  S3Credentials credentials{
      .access_key = text("AccessKeyId").value_or(""),
      .secret_key = Secret(text("SecretAccessKey").value_or("")),
      .session_token = Secret(text("Token").value_or("")),
  };
  if (object->contains("Expiration")) {
    credentials.expiry = parse_utc(text("Expiration").value_or(""));
    if (!credentials.expiry) return corrupt("answers credentials whose Expiration is no time");
  }
  return checked(std::move(credentials));
}

Result<S3Credentials> parse_sts_credentials(std::string_view xml) {
  if (xml.size() > kMaxCredentialDocument) return corrupt("answers too much");
  auto access_key = element(xml, "AccessKeyId");
  auto secret_key = element(xml, "SecretAccessKey");
  auto token = element(xml, "SessionToken");
  const auto expiry = parse_utc(element(xml, "Expiration").value_or(""));
  if (!access_key || !secret_key || !token || token->empty() || !expiry) {
    return corrupt("answers no usable credentials");
  }
  return checked({.access_key = *std::move(access_key),
                  .secret_key = Secret(*std::move(secret_key)),
                  .session_token = Secret(*std::move(token)),
                  .expiry = expiry});
}

std::string parse_sts_error_code(std::string_view xml) {
  auto code = element(xml.substr(0, kMaxCredentialDocument), "Code").value_or("");
  if (code.size() > 64 || !std::ranges::all_of(code, is_alphanumeric)) code.clear();
  return code;
}

std::optional<WallTime> parse_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() <= kForm.size() || text.size() > kForm.size() + 11) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == '0' ? !is_digit(text[i]) : text[i] != kForm[i]) return std::nullopt;
  }
  std::string_view rest = text.substr(kForm.size());
  if (rest.starts_with('.')) {
    const auto end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (end == 1) return std::nullopt;
    rest.remove_prefix(end);
  }
  if (rest != "Z") return std::nullopt;

  const auto number = [&](std::size_t at, std::size_t size) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + size, value);
    return value;
  };
  using namespace std::chrono;
  const year_month_day day(year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                           std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  if (!day.ok() || number(0, 4) < 1970 || number(0, 4) > 2199) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return WallTime(sys_days(day)) + hours(hour) + minutes(minute) + seconds(second);
}

}  // namespace fairlead::s3
