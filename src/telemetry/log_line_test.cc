// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log_line.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <limits>

namespace fairlead::telemetry {
namespace {

using std::chrono_literals::operator""ms;

const WallTime kTime = std::chrono::sys_days{std::chrono::year{2026} / 1 / 2} +
                       std::chrono::hours{3} + std::chrono::minutes{4} + std::chrono::seconds{5} +
                       678ms;

std::string text(std::string_view message, const std::vector<Field>& fields = {}) {
  return format_line(LogFormat::Text, kTime, LogLevel::Info, message, fields);
}

std::string json(std::string_view message, const std::vector<Field>& fields = {}) {
  return format_line(LogFormat::Json, kTime, LogLevel::Warn, message, fields);
}

TEST(LogLine, TextReadsAsAPersonExpects) {
  EXPECT_EQ(text("listening", {{"address", "127.0.0.1:5000"},
                               {"workers", std::int64_t{4}},
                               {"took_ms", 1.5},
                               {"note", "two words"},
                               {"empty", ""}}),
            "2026-01-02T03:04:05.678Z info  listening address=127.0.0.1:5000 workers=4 "
            "took_ms=1.5 note=\"two words\" empty=\"\"");
}

TEST(LogLine, JsonIsOneObject) {
  EXPECT_EQ(json("listening", {{"address", "[::1]:5000"}, {"workers", std::int64_t{-4}}}),
            R"({"time":"2026-01-02T03:04:05.678Z","level":"warn","message":"listening",)"
            R"("address":"[::1]:5000","workers":-4})");
}

TEST(LogLine, TextCannotBeForged) {
  EXPECT_EQ(text("a\nb"), "2026-01-02T03:04:05.678Z info  a\\nb");
  const struct {
    std::string_view value;
    std::string_view written;
  } cases[] = {
      {"x status=200", R"("x status=200")"},
      {"a=b", R"("a=b")"},
      {"say \"hi\"", R"("say \"hi\"")"},
      {"back\\slash", R"("back\\slash")"},
      {"line\nfeed", R"("line\nfeed")"},
      {"\r\t", R"("\x0d\x09")"},
      {std::string_view("\0", 1), R"("\x00")"},
      {"\x1b[2J", R"("\x1b[2J")"},  // clears a terminal
      {"\xc2\x9b"
       "2J",
       R"("\xc2\x9b2J")"},  // so does this: CSI in C1
      {"\x7f", R"("\x7f")"},
      {"\xff", R"("\xff")"},
      {"\xc3\xa9t\xc3\xa9", "\"\xc3\xa9t\xc3\xa9\""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(text("m", {{"v", c.value}}),
              "2026-01-02T03:04:05.678Z info  m v=" + std::string(c.written));
  }
}

TEST(LogLine, JsonKeepsTextThatIsUtf8) {
  for (const std::string_view value :
       {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xb3", "\xed\x9f\xbf",
        "\xf4\x8f\xbf\xbf", "\"\\/", "\x01\x1f\x7f\r\n\t", "\xc2\x80\xc2\x9f"}) {
    const auto parsed = boost::json::parse(json("m", {{"v", value}}));
    EXPECT_EQ(std::string_view(parsed.at("v").as_string()), value);
  }
}

TEST(LogLine, JsonReplacesWhatIsNotUtf8) {
  const std::string_view r = "\xef\xbf\xbd";
  const struct {
    std::string_view value;
    int replaced;
  } cases[] = {
      {"\xff", 1},
      {"\x80", 1},
      {"\xc0\x80", 2},
      {"\xc3", 1},
      {"\xe2\x82", 2},
      {"\xe0\x80\x80", 3},
      {"\xed\xa0\x80", 3},
      {"\xf0\x9f\x90", 3},
      {"\xf0\x80\x80\x80", 4},
      {"\xf4\x90\x80\x80", 4},
      {"\xf5\x80\x80\x80", 4},
  };
  for (const auto& c : cases) {
    std::string expected = "a";
    for (int i = 0; i < c.replaced; ++i) expected += r;
    expected += "b";
    const auto parsed = boost::json::parse(json("m", {{"v", "a" + std::string(c.value) + "b"}}));
    EXPECT_EQ(std::string_view(parsed.at("v").as_string()), expected);
  }
}

TEST(LogLine, EveryPairOfBytesMakesValidJson) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string value{static_cast<char>(first), static_cast<char>(second)};
      boost::json::error_code error;
      const std::string line = json(value, {{"v", value}});
      boost::json::parse(line, error);
      ASSERT_FALSE(error) << first << " " << second;
      ASSERT_EQ(line.find_first_of(std::string("\n\r\0", 3)), std::string::npos);
    }
  }
}

TEST(LogLine, NumbersThatJsonLacksAreNull) {
  const auto parsed =
      boost::json::parse(json("m", {{"v", std::numeric_limits<double>::infinity()},
                                    {"w", std::numeric_limits<double>::quiet_NaN()}}));
  EXPECT_TRUE(parsed.at("v").is_null());
  EXPECT_TRUE(parsed.at("w").is_null());
}

}  // namespace
}  // namespace fairlead::telemetry
