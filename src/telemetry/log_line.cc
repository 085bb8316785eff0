// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iterator>

namespace fairlead::telemetry {
namespace {

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (byte_at(text, at) & 0xc0) == 0x80;
}

// The length of the UTF-8 character at the start of `text`, which is not empty; 0 when there is
// none: stray or missing continuation, overlong form, surrogate, beyond U+10FFFF (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const unsigned char lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4 || !is_continuation(text, 1)) return 0;
  const unsigned char second = byte_at(text, 1);
  if (lead < 0xe0) return 2;
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
  if (!is_continuation(text, 2)) return 0;
  if (lead < 0xf0) return 3;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return is_continuation(text, 3) ? 4 : 0;
}

// C0, DEL and, as a terminal obeys them too, C1 (U+0080 to U+009F).
bool is_control(std::string_view character) {
  const unsigned char lead = byte_at(character, 0);
  return lead < 0x20 || lead == 0x7f || (lead == 0xc2 && byte_at(character, 1) < 0xa0);
}

// Calls `valid` with each character and `invalid` with each byte that is part of none.
template <class Valid, class Invalid>
void for_each_character(std::string_view text, Valid valid, Invalid invalid) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      invalid(byte_at(text, 0));
      text.remove_prefix(1);
    } else {
      valid(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
}

void append_json_string(std::string& line, std::string_view text) {
  line += '"';
  for_each_character(
      text,
      [&](std::string_view character) {
        if (character == "\"" || character == "\\") {
          line.append("\\").append(character);
        } else if (character == "\n") {
          line += "\\n";
        } else if (is_control(character)) {
          const unsigned code = byte_at(character, character.size() - 1);
          fmt::format_to(std::back_inserter(line), "\\u{:04x}", code);
        } else {
          line += character;
        }
      },
      [&](unsigned char) { line += "\xef\xbf\xbd"; });
  line += '"';
}

// The text itself, with escapes where needed; `quoted` also escapes the quote and backslash.
void append_escaped(std::string& line, std::string_view text, bool quoted) {
  const auto append_hex = [&](unsigned char byte) {
    fmt::format_to(std::back_inserter(line), "\\x{:02x}", byte);
  };
  for_each_character(
      text,
      [&](std::string_view character) {
        if (character == "\n") {
          line += "\\n";
        } else if (is_control(character)) {
          for (const char byte : character) append_hex(static_cast<unsigned char>(byte));
        } else {
          if (quoted && (character == "\"" || character == "\\")) line += '\\';
          line += character;
        }
      },
      append_hex);
}

void append_text_value(std::string& line, std::string_view text) {
  const bool is_plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
  });
  if (is_plain) {
    line += text;
    return;
  }
  line += '"';
  append_escaped(line, text, true);
  line += '"';
}

void append_time(std::string& line, WallTime time) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto midnight = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss clock{now - midnight};
  fmt::format_to(std::back_inserter(line), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count(), clock.subseconds().count());
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "debug";
    case LogLevel::Info:
      return "info";
    case LogLevel::Warn:
      return "warn";
    case LogLevel::Error:
      return "error";
  }
  return "error";
}

// Numbers look the same in both formats, but JSON has no infinity.
void append_number(std::string& line, std::int64_t value) {
  fmt::format_to(std::back_inserter(line), "{}", value);
}

void append_number(std::string& line, double value) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(line), "{}", value);
  } else {
    line += "null";
  }
}

}  // namespace

std::string format_line(LogFormat format, WallTime time, LogLevel level, std::string_view message,
                        const std::vector<Field>& fields) {
  const bool is_json = format == LogFormat::Json;
  std::string line;
  line.reserve(64 + message.size() + 32 * fields.size());

  if (is_json) line += "{\"time\":\"";
  append_time(line, time);
  if (is_json) {
    line.append("\",\"level\":\"").append(level_name(level)).append("\",\"message\":");
    append_json_string(line, message);
  } else {
    fmt::format_to(std::back_inserter(line), " {:<5} ", level_name(level));
    append_escaped(line, message, false);
  }

  for (const Field& field : fields) {
    line += is_json ? ',' : ' ';
    if (is_json) {
      append_json_string(line, field.key);
    } else {
      append_escaped(line, field.key, false);
    }
    line += is_json ? ':' : '=';
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      is_json ? append_json_string(line, *text) : append_text_value(line, *text);
    } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
      append_number(line, *integer);
    } else {
      append_number(line, std::get<double>(field.value));
    }
  }
  if (is_json) line += '}';
  return line;
}

}  // namespace fairlead::telemetry
