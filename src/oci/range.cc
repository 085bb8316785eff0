// SPDX-License-Identifier: Apache-2.0
#include "oci/range.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

namespace fairlead::oci {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Removes the range unit (any case) from the front of `text`.
bool consume_bytes_unit(std::string_view& text) {
  constexpr std::string_view kUnit = "bytes";
  if (text.size() < kUnit.size()) return false;
  const bool is_bytes =
      std::ranges::equal(kUnit, text.substr(0, kUnit.size()),
                         [](char lower, char c) { return c == lower || c == lower - 'a' + 'A'; });
  if (is_bytes) text.remove_prefix(kUnit.size());
  return is_bytes;
}

// 1*DIGIT. A number too large for 64 bits is larger than any content: kMax.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  return error == std::errc::result_out_of_range ? kMax : value;
}

// The only non-empty element of a comma-separated list; nullopt when there is none or another.
std::optional<std::string_view> only_element(std::string_view list) {
  std::optional<std::string_view> only;
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) {
      if (only) return std::nullopt;
      only = element;
    }
    if (comma == std::string_view::npos) return only;
    list.remove_prefix(comma + 1);
  }
}

// "-n": the last n bytes.
RangeDecision decide_suffix(std::string_view digits, std::uint64_t size) {
  const auto length = parse_position(digits);
  if (!length) return {};
  if (*length == 0) return {.outcome = RangeOutcome::Unsatisfiable};
  if (size == 0) return {};  // all of nothing is satisfiable, but a 206 cannot say it
  const std::uint64_t kept = std::min(*length, size);
  return {.outcome = RangeOutcome::Partial, .range = {.first = size - kept, .length = kept}};
}

}  // namespace

RangeDecision decide_range(std::string_view range_header, std::uint64_t size) {
  std::string_view text = trim(range_header);
  if (!consume_bytes_unit(text) || !text.starts_with('=')) return {};
  const auto spec = only_element(text.substr(1));
  if (!spec) return {};

  const std::size_t dash = spec->find('-');
  if (dash == std::string_view::npos) return {};
  if (dash == 0) return decide_suffix(spec->substr(1), size);

  const auto first = parse_position(spec->substr(0, dash));
  const std::string_view end = spec->substr(dash + 1);
  const auto last = end.empty() ? std::optional(kMax) : parse_position(end);
  if (!first || !last || *last < *first) return {};
  if (*first >= size) return {.outcome = RangeOutcome::Unsatisfiable};
  return {.outcome = RangeOutcome::Partial,
          .range = {.first = *first, .length = std::min(*last, size - 1) - *first + 1}};
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" +
         std::to_string(range.first + (range.length - 1)) + "/" + std::to_string(size);
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  std::string_view text = trim(value);
  if (!consume_bytes_unit(text) || !text.starts_with(' ')) return std::nullopt;
  text = trim(text);

  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  // kMax itself stands for "too large" and is refused, so that no sum below can wrap around.
  const auto first = parse_position(text.substr(0, dash));
  const auto last = parse_position(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last == kMax) return std::nullopt;
  const ByteRange range{.first = *first, .length = *last - *first + 1};

  const std::string_view complete = text.substr(slash + 1);
  if (complete == "*") return ContentRange{.range = range};
  const auto size = parse_position(complete);
  if (!size || *size <= *last || *size == kMax) return std::nullopt;
  return ContentRange{.range = range, .size = size};
}

}  // namespace fairlead::oci
