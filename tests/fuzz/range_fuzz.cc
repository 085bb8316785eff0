// SPDX-License-Identifier: Apache-2.0
// Input: a size in decimal, a line feed, a Range or Content-Range value. A range lies within its
// content, and written out again it is the same range.
// Modules: oci
#include <charconv>
#include <limits>
#include <string>

#include "fuzz/property.h"
#include "oci/range.h"

using fairlead::fuzz::check;
using namespace fairlead::oci;

namespace {

void check_decision(std::string_view header, std::uint64_t size) {
  const RangeDecision decision = decide_range(header, size);
  if (decision.outcome != RangeOutcome::Partial) return;
  const ByteRange range = decision.range;
  check(range.length > 0 && range.first < size && range.length <= size - range.first);

  const std::uint64_t last = range.first + (range.length - 1);
  const RangeDecision again =
      decide_range("bytes=" + std::to_string(range.first) + "-" + std::to_string(last), size);
  check(again.outcome == RangeOutcome::Partial && again.range == range);

  if (size == std::numeric_limits<std::uint64_t>::max()) return;
  const auto answered = parse_content_range(content_range(range, size));
  check(answered && answered->range == range && answered->size == size);
}

void check_content_range(std::string_view value) {
  const auto parsed = parse_content_range(value);
  if (!parsed) return;
  const ByteRange range = parsed->range;
  check(range.length > 0);
  check(range.first + range.length > range.first);
  if (!parsed->size) return;
  check(range.first + range.length <= *parsed->size);
  const auto again = parse_content_range(content_range(range, *parsed->size));
  check(again && again->range == range && again->size == parsed->size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view value = fairlead::fuzz::as_text(data, size);
  const std::string_view digits = fairlead::fuzz::take_line(value);
  std::uint64_t content_size = 100;
  std::from_chars(digits.data(), digits.data() + digits.size(), content_size);
  check_decision(value, content_size);
  check_content_range(value);
  return 0;
}
