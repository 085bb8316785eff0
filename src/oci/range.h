// SPDX-License-Identifier: Apache-2.0
// Byte ranges of requests (RFC 9110, 14) and of upstream answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::oci {

// Bytes [first, first + length) of a representation; length > 0.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

enum class RangeOutcome {
  Whole,          // no Range, another unit, malformed, or several ranges: answer 200
  Partial,        // answer 206 with `range`
  Unsatisfiable,  // answer 416
};

struct RangeDecision {
  RangeOutcome outcome = RangeOutcome::Whole;
  ByteRange range{};
};

// What a Range header asks of a representation of `size` bytes.
RangeDecision decide_range(std::string_view range_header, std::uint64_t size);

// "bytes 0-9/100"
std::string content_range(const ByteRange& range, std::uint64_t size);

// An upstream's Content-Range: first, length and, unless it is "*", the complete size.
struct ContentRange {
  ByteRange range{};
  std::optional<std::uint64_t> size{};
};
std::optional<ContentRange> parse_content_range(std::string_view value);

}  // namespace fairlead::oci
