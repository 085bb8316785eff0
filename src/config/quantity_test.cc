// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace fairlead::config {
namespace {

using std::chrono::milliseconds;

struct Row {
  std::string_view text;
  std::optional<std::uint64_t> value;  // nullopt: refused
};

TEST(Quantity, Counts) {
  for (const auto& [text, value] : std::vector<Row>{{"0", 0},
                                                    {"8", 8},
                                                    {"007", 7},
                                                    {"18446744073709551615", 18446744073709551615U},
                                                    {"18446744073709551616", {}},
                                                    {"99999999999999999999999999", {}},
                                                    {"", {}},
                                                    {"-1", {}},
                                                    {"+1", {}},
                                                    {"1.5", {}},
                                                    {" 1", {}},
                                                    {"1 ", {}},
                                                    {"0x10", {}},
                                                    {"1KiB", {}}}) {
    const auto got = parse_count(text);
    EXPECT_EQ(got.has_value(), value.has_value()) << text;
    if (got && value) EXPECT_EQ(*got, *value) << text;
  }
}

TEST(Quantity, Sizes) {
  for (const auto& [text, value] : std::vector<Row>{{"0", 0},
                                                    {"1000", 1000},
                                                    {"32KiB", 32 * 1024},
                                                    {"3MiB", 3 * 1024 * 1024},
                                                    {"10GiB", 10ULL << 30},
                                                    {"2TiB", 2ULL << 40},
                                                    {"16777215TiB", 16777215ULL << 40},
                                                    {"16777216TiB", {}},
                                                    {"18446744073709551615KiB", {}},
                                                    {"99999999999999999999999KiB", {}},
                                                    {"KiB", {}},
                                                    {"1KB", {}},
                                                    {"1kib", {}},
                                                    {"1K", {}},
                                                    {"1B", {}},
                                                    {"1 KiB", {}},
                                                    {"1KiB ", {}},
                                                    {"1.5KiB", {}},
                                                    {"-1KiB", {}},
                                                    {"1KiB1", {}}}) {
    const auto got = parse_size(text);
    EXPECT_EQ(got.has_value(), value.has_value()) << text;
    if (got && value) EXPECT_EQ(*got, *value) << text;
  }
}

TEST(Quantity, Durations) {
  for (const auto& [text, value] : std::vector<Row>{{"0s", 0},
                                                    {"250ms", 250},
                                                    {"30s", 30'000},
                                                    {"5m", 300'000},
                                                    {"2h", 7'200'000},
                                                    {"7d", 604'800'000},
                                                    {"9223372036854775807ms", 9223372036854775807U},
                                                    {"9223372036854775808ms", {}},
                                                    {"106751991168d", {}},
                                                    {"30", {}},
                                                    {"0", 0},
                                                    {"00", {}},
                                                    {"s", {}},
                                                    {"1h30m", {}},
                                                    {"1.5s", {}},
                                                    {"-1s", {}},
                                                    {"1 s", {}},
                                                    {"1us", {}},
                                                    {"1w", {}},
                                                    {"1S", {}}}) {
    const auto got = parse_duration(text);
    EXPECT_EQ(got.has_value(), value.has_value()) << text;
    if (got && value) EXPECT_EQ(got->count(), static_cast<std::int64_t>(*value)) << text;
  }
}

TEST(Quantity, TellsOverflowFromNonsense) {
  EXPECT_EQ(parse_size("16777216TiB").error(), "\"16777216TiB\" is too large");
  EXPECT_EQ(parse_count("four").error(), "\"four\" is not a number: write digits only");
  EXPECT_EQ(parse_duration("30").error(),
            "\"30\" has no unit: write ms, s, m, h or d behind it (30s)");
  EXPECT_EQ(parse_duration("1w").error(),
            "\"1w\" is not a duration: write a number and ms, s, m, h or d (30s)");
}

TEST(Quantity, FormatsInTheLargestExactUnit) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1023), "1023");
  EXPECT_EQ(format_size(1024), "1KiB");
  EXPECT_EQ(format_size(1536), "1536");
  EXPECT_EQ(format_size(10ULL << 30), "10GiB");
  EXPECT_EQ(format_duration(milliseconds(0)), "0ms");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(3'600'000)), "1h");
}

}  // namespace
}  // namespace fairlead::config
