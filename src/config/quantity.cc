// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>

#include "config/problem.h"

namespace fairlead::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first.
constexpr std::array<Unit, 5> kSizeUnits{
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"", 1}}};
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

struct Quantity {
  std::uint64_t number = 0;
  bool overflowed = false;
  std::string_view unit;  // whatever follows the digits
};

// nullopt: it does not begin with a digit.
std::optional<Quantity> split(std::string_view text) {
  Quantity out;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    const auto digit = static_cast<std::uint64_t>(text[at] - '0');
    out.overflowed |= __builtin_mul_overflow(out.number, std::uint64_t{10}, &out.number);
    out.overflowed |= __builtin_add_overflow(out.number, digit, &out.number);
  }
  if (at == 0) return std::nullopt;
  out.unit = text.substr(at);
  return out;
}

std::expected<std::uint64_t, std::string> parse(std::string_view text, std::span<const Unit> units,
                                                std::uint64_t max, std::string_view expected) {
  const auto quantity = split(text);
  const auto unit = quantity ? std::ranges::find(units, quantity->unit, &Unit::name) : units.end();
  if (unit == units.end())
    return std::unexpected(in_quotes(text) + " is not " + std::string(expected));
  std::uint64_t out = 0;
  if (quantity->overflowed || __builtin_mul_overflow(quantity->number, unit->factor, &out) ||
      out > max) {
    return std::unexpected(in_quotes(text) + " is too large");
  }
  return out;
}

std::string format(std::uint64_t value, std::span<const Unit> units) {
  const auto exact = [&](const Unit& unit) { return value != 0 && value % unit.factor == 0; };
  auto unit = std::ranges::find_if(units, exact);
  if (unit == units.end()) unit = units.end() - 1;
  return std::to_string(value / unit->factor) + std::string(unit->name);
}

constexpr std::uint64_t kMaxCount = std::numeric_limits<std::uint64_t>::max();
constexpr auto kMaxMilliseconds =
    static_cast<std::uint64_t>(std::numeric_limits<std::chrono::milliseconds::rep>::max());

}  // namespace

std::expected<std::uint64_t, std::string> parse_count(std::string_view text) {
  return parse(text, std::span(kSizeUnits).last(1), kMaxCount, "a number: write digits only");
}

std::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  return parse(text, kSizeUnits, kMaxCount,
               "a size: write a number of bytes, or a number and KiB, MiB, GiB or TiB (32KiB)");
}

std::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text) {
  if (const auto quantity = split(text); quantity && quantity->unit.empty()) {
    if (text == "0") return std::chrono::milliseconds(0);
    return std::unexpected(in_quotes(text) +
                           " has no unit: write ms, s, m, h or d behind it (30s)");
  }
  const auto count = parse(text, kDurationUnits, kMaxMilliseconds,
                           "a duration: write a number and ms, s, m, h or d (30s)");
  if (!count) return std::unexpected(count.error());
  return std::chrono::milliseconds(*count);
}

std::string format_size(std::uint64_t bytes) { return format(bytes, kSizeUnits); }

std::string format_duration(std::chrono::milliseconds duration) {
  return format(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

}  // namespace fairlead::config
