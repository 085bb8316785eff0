// SPDX-License-Identifier: Apache-2.0
// Input: a message and a value, separated by a line feed. A line is one line without control
// characters; in JSON it is an object that gives back what was UTF-8.
// Modules: telemetry
#include <algorithm>
#include <boost/json.hpp>
#include <string>

#include "fuzz/property.h"
#include "telemetry/log_line.h"

using fairlead::fuzz::check;
using namespace fairlead::telemetry;
namespace json = boost::json;

namespace {

bool is_utf8(std::string_view text) {
  json::error_code error;
  json::parse(json::serialize(json::string(text)), error);
  return !error;
}

void check_line(std::string_view line) {
  check(is_utf8(line));
  check(std::ranges::none_of(line, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view value = fairlead::fuzz::as_text(data, size);
  const std::string_view message = fairlead::fuzz::take_line(value);
  const std::vector<Field> fields{{"v", value}};
  check_line(format_line(LogFormat::Text, {}, LogLevel::Info, message, fields));

  const std::string line = format_line(LogFormat::Json, {}, LogLevel::Info, message, fields);
  check_line(line);
  json::error_code error;
  const json::value parsed = json::parse(line, error);
  check(!error && parsed.is_object());
  if (is_utf8(value)) check(std::string_view(parsed.at("v").as_string()) == value);
  if (is_utf8(message)) check(std::string_view(parsed.at("message").as_string()) == message);
  return 0;
}
