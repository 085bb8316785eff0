// SPDX-License-Identifier: Apache-2.0
#include "oci/error_document.h"

#include <algorithm>
#include <boost/json.hpp>

namespace fairlead::oci {
namespace {

namespace json = boost::json;

// Real ones are below 4 KiB; what is larger is not read at all.
constexpr std::size_t kMaxDocument = 64u << 10;
constexpr std::size_t kMaxCode = 64;
constexpr std::size_t kMaxMessage = 512;

// The JSON writer passes bytes as they are, so text that is not UTF-8 has to lose what makes it
// so. The JSON reader is the judge.
std::string to_utf8(std::string_view text) {
  json::error_code error;
  json::parse(json::serialize(json::string(text)), error);
  std::string valid(text);
  if (error) {
    std::ranges::replace_if(valid, [](char c) { return (c & 0x80) != 0; }, '?');
  }
  return valid;
}

bool is_error_code(std::string_view text) {
  return !text.empty() && text.size() <= kMaxCode &&
         std::ranges::all_of(text, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

// One line without control characters (C1 ones included: U+0080 to U+009F), cut between
// characters. `text` is UTF-8.
std::string to_line(std::string_view text) {
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c1 = byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (is_c1) ++i;
    line += is_c1 || byte < 0x20 || byte == 0x7f ? ' ' : text[i];
  }
  if (line.size() > kMaxMessage) {
    std::size_t end = kMaxMessage;
    while ((line[end] & 0xc0) == 0x80) --end;
    line.resize(end);
  }
  return line;
}

std::string_view text_member(const json::object& object, std::string_view key) {
  const json::value* member = object.if_contains(key);
  if (member == nullptr || !member->is_string()) return {};
  return member->get_string();
}

}  // namespace

std::string write_error_document(ErrorCode code, std::string_view message,
                                 std::string_view request_id) {
  json::object error;
  error["code"] = to_string(code);
  error["message"] = to_utf8(message);
  if (!request_id.empty()) error["detail"] = {{"request_id", to_utf8(request_id)}};
  return json::serialize(json::object{{"errors", json::array{std::move(error)}}});
}

std::optional<UpstreamErrorText> read_error_document(std::string_view body) {
  if (body.size() > kMaxDocument) return std::nullopt;
  json::error_code parse_error;
  const json::value document = json::parse(body, parse_error);
  if (parse_error || !document.is_object()) return std::nullopt;
  const json::value* errors = document.get_object().if_contains("errors");
  if (errors == nullptr || !errors->is_array() || errors->get_array().empty()) return std::nullopt;
  const json::value& first = errors->get_array().front();
  if (!first.is_object()) return std::nullopt;

  const std::string_view code = text_member(first.get_object(), "code");
  std::string message = to_line(text_member(first.get_object(), "message"));
  if (is_error_code(code)) return UpstreamErrorText{std::string(code), std::move(message)};
  // Artifactory has a numeric `status` in place of the code.
  if (message.empty()) return std::nullopt;
  return UpstreamErrorText{std::string(to_string(ErrorCode::Unknown)), std::move(message)};
}

}  // namespace fairlead::oci
