// SPDX-License-Identifier: Apache-2.0
#include "oci/query.h"

#include <cstddef>

#include "oci/operation.h"

namespace fairlead::oci {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kHex[byte >> 4];
    encoded += kHex[byte & 0xf];
  }
  return encoded;
}

bool QueryReader::next() {
  if (is_done_) return false;
  const std::size_t end = rest_.find('&');
  raw_ = rest_.substr(0, end);
  is_done_ = end == std::string_view::npos;
  rest_.remove_prefix(is_done_ ? rest_.size() : end + 1);
  return true;
}

bool QueryReader::has_name(std::string_view name) const {
  const std::string_view raw_name = raw_.substr(0, raw_.find('='));
  if (raw_name.find('%') == std::string_view::npos) return raw_name == name;
  const auto decoded = percent_decode(raw_name);
  return decoded && *decoded == name;
}

std::optional<std::string> QueryReader::value() const {
  const std::size_t equals = raw_.find('=');
  if (equals == std::string_view::npos) return std::string();
  return percent_decode(raw_.substr(equals + 1));
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  QueryReader reader(query);
  while (reader.next()) {
    if (reader.has_name(name)) return reader.value();
  }
  return std::nullopt;
}

bool is_repeated(std::string_view query, std::string_view name) {
  int count = 0;
  for (QueryReader reader(query); reader.next();) {
    if (reader.has_name(name)) ++count;
  }
  return count > 1;
}

std::string with_query(std::string path, std::string_view query) {
  if (!query.empty()) path.append("?").append(query);
  return path;
}

}  // namespace fairlead::oci
