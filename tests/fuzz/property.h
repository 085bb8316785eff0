// SPDX-License-Identifier: Apache-2.0
// What fuzz targets are made of: an input as text, and properties that hold for every input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>

namespace fairlead::fuzz {

// Ends the run with a finding when `is_true` is false.
inline void check(bool is_true, std::source_location at = std::source_location::current()) {
  if (is_true) return;
  std::fprintf(stderr, "%s:%u: a property does not hold\n", at.file_name(), at.line());
  std::abort();
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Takes the first line off `text`; all of it when there is no line feed.
inline std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

}  // namespace fairlead::fuzz
