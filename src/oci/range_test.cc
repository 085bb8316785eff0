// SPDX-License-Identifier: Apache-2.0
#include "oci/range.h"

#include <gtest/gtest.h>

#include <limits>
#include <ostream>

namespace fairlead::oci {

void PrintTo(const ByteRange& range, std::ostream* out) {
  *out << range.first << "+" << range.length;
}

namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(Range, OneSatisfiableRangeIsPartial) {
  const struct {
    std::string_view header;
    std::uint64_t size;
    ByteRange range;
  } cases[] = {
      {"bytes=0-9", 100, {0, 10}},
      {"bytes=0-0", 100, {0, 1}},
      {"bytes=99-99", 100, {99, 1}},
      {"bytes=0-99", 100, {0, 100}},
      {"bytes=0-100", 100, {0, 100}},
      {"bytes=5-", 100, {5, 95}},
      {"bytes=0-", 100, {0, 100}},
      {"bytes=0-", 1, {0, 1}},
      {"bytes=-1", 100, {99, 1}},
      {"bytes=-100", 100, {0, 100}},
      {"bytes=-101", 100, {0, 100}},
      {"bytes=007-09", 100, {7, 3}},
      {"Bytes=0-9", 100, {0, 10}},
      {"BYTES=0-9", 100, {0, 10}},
      {"  bytes=0-9\t", 100, {0, 10}},
      {"bytes= 0-9 ", 100, {0, 10}},
      {"bytes=,0-9, ,", 100, {0, 10}},
      {"bytes=0-18446744073709551615", 100, {0, 100}},
      {"bytes=1-99999999999999999999999", 100, {1, 99}},
      {"bytes=-99999999999999999999999", 100, {0, 100}},
      {"bytes=0-", kMax, {0, kMax}},
      {"bytes=18446744073709551614-", kMax, {kMax - 1, 1}},
  };
  for (const auto& c : cases) {
    const RangeDecision decision = decide_range(c.header, c.size);
    EXPECT_EQ(decision.outcome, RangeOutcome::Partial) << c.header;
    EXPECT_EQ(decision.range, c.range) << c.header;
  }
}

TEST(Range, BeyondTheEndIsUnsatisfiable) {
  const struct {
    std::string_view header;
    std::uint64_t size;
  } cases[] = {
      {"bytes=100-", 100}, {"bytes=100-200", 100},
      {"bytes=-0", 100},   {"bytes=99999999999999999999999-", 100},
      {"bytes=0-", 0},     {"bytes=0-0", 0},
      {"bytes=-0", 0},     {"bytes=99999999999999999999998-99999999999999999999999", 100},
      {"bytes=-000", 1},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(decide_range(c.header, c.size).outcome, RangeOutcome::Unsatisfiable) << c.header;
  }
}

TEST(Range, AllElseIsTheWhole) {
  for (const std::string_view header : {"",
                                        "bytes",
                                        "bytes=",
                                        "bytes=,",
                                        "bytes=-",
                                        "bytes=--1",
                                        "bytes=a-b",
                                        "bytes=1",
                                        "bytes=9-0",
                                        "bytes=0-9,20-29",
                                        "bytes=0-9,200-",
                                        "bytes=0 - 9",
                                        "bytes =0-9",
                                        "bytes:0-9",
                                        "bytes 0-9",
                                        "bytes=+0-9",
                                        "bytes=0-+9",
                                        "bytes=0x0-9",
                                        "bytes=0-9-",
                                        "bytes=0-9/100",
                                        "items=0-9",
                                        "none",
                                        "byte=0-9",
                                        "bytesbytes=0-9",
                                        "bytes=0-9;q=1",
                                        "bytes=\n0-9",
                                        "bytes=-1-2"}) {
    EXPECT_EQ(decide_range(header, 100).outcome, RangeOutcome::Whole) << header;
  }
  EXPECT_EQ(decide_range("bytes=-5", 0).outcome, RangeOutcome::Whole);
  std::string many = "bytes=";
  for (int i = 0; i < 100'000; ++i) many += "0-0,";
  EXPECT_EQ(decide_range(many, 100).outcome, RangeOutcome::Whole);
}

TEST(ContentRange, IsWritten) {
  EXPECT_EQ(content_range({0, 10}, 100), "bytes 0-9/100");
  EXPECT_EQ(content_range({99, 1}, 100), "bytes 99-99/100");
  EXPECT_EQ(content_range({0, kMax}, kMax), "bytes 0-18446744073709551614/18446744073709551615");
}

TEST(ContentRange, IsRead) {
  const auto full = parse_content_range("bytes 10-19/100");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->range, (ByteRange{10, 10}));
  EXPECT_EQ(full->size, 100u);
  const auto open = parse_content_range(" Bytes  0-0/* ");
  ASSERT_TRUE(open);
  EXPECT_EQ(open->range, (ByteRange{0, 1}));
  EXPECT_EQ(open->size, std::nullopt);
}

TEST(ContentRange, ThatMakesNoSenseIsRefused) {
  for (const std::string_view value : {"",
                                       "bytes",
                                       "bytes ",
                                       "bytes */100",
                                       "bytes 0-9",
                                       "bytes 0-9/",
                                       "bytes 9-0/100",
                                       "bytes 0-99/99",
                                       "bytes 0-9/9",
                                       "bytes=0-9/100",
                                       "items 0-9/100",
                                       "bytes -9/100",
                                       "bytes 0-/100",
                                       "bytes 0-9/100/100",
                                       "bytes 0-9/-1",
                                       "bytes 0 - 9/100",
                                       "bytes 0/9-100",
                                       "bytes 0-18446744073709551615/*",
                                       "bytes 0-9/99999999999999999999999",
                                       "bytes 1-99999999999999999999999/*",
                                       "bytes 0-9/**",
                                       "bytes 0-9/100 x"}) {
    EXPECT_FALSE(parse_content_range(value)) << value;
  }
}

}  // namespace
}  // namespace fairlead::oci
