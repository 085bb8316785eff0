// SPDX-License-Identifier: Apache-2.0
// Counts, sizes and durations as people write them: "8", "32KiB", "30s". Pure.
//
//   count     digits
//   size      digits, or digits and one of KiB MiB GiB TiB
//   duration  digits and one of ms s m h d; or 0
//
// Nothing else: no sign, fraction, blank or second unit. An error is what is wrong with the text,
// to be read after the key; it quotes the text.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace fairlead::config {

std::expected<std::uint64_t, std::string> parse_count(std::string_view text);
std::expected<std::uint64_t, std::string> parse_size(std::string_view text);  // bytes
std::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text);

// In the largest unit that shows it exactly; the parsers above take it back.
std::string format_size(std::uint64_t bytes);
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace fairlead::config
