// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "telemetry/access_record.h"
#include "telemetry/request_id.h"

namespace fairlead::telemetry {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// What `act` leaves on standard error.
template <class Act>
std::string standard_error(Act act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, WritesLinesToStandardErrorFromItsLevelUp) {
  Log log({.level = LogLevel::Warn, .format = LogFormat::Text});
  EXPECT_FALSE(log.enabled(LogLevel::Info));
  EXPECT_TRUE(log.enabled(LogLevel::Warn));
  const std::string written = standard_error([&log] {
    log.debug("d");
    log.info("i");
    log.warn("w", {{"key", "{}%v"}});
    log.error("e");
    log.flush();
  });
  EXPECT_THAT(written, AllOf(HasSubstr(" warn  w key={}%v\n"), EndsWith(" error e\n"),
                             Not(HasSubstr(" info  i")), Not(HasSubstr("debug"))));
}

TEST(Log, LinesOfManyThreadsDoNotMix) {
  Log log({.level = LogLevel::Info, .format = LogFormat::Json});
  const std::string written = standard_error([&log] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 50; ++n) log.info(std::string(200, 'x'));
      });
    }
  });
  std::istringstream lines(written);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_THAT(line, EndsWith(",\"message\":\"" + std::string(200, 'x') + "\"}"));
  }
  EXPECT_EQ(count, 200);
}

AccessRecord pull() {
  return {.id = "0123456789abcdef",
          .peer = "127.0.0.1:5555",
          .method = "GET",
          .target = "/v2/a/manifests/latest",
          .host = "localhost:5000",
          .user_agent = "containerd/2.0 (linux)",
          .status = 200,
          .bytes = 1500,
          .outcome = Outcome::Join,
          .registry = "docker.io",
          .repository = "a",
          .duration = std::chrono::nanoseconds{1234567},
          .first_byte = std::chrono::microseconds{250},
          .error = {}};
}

TEST(AccessRecord, IsOneLine) {
  Log log({.level = LogLevel::Info, .format = LogFormat::Text});
  EXPECT_THAT(standard_error([&log] { write(log, pull()); }),
              EndsWith(" info  request id=0123456789abcdef peer=127.0.0.1:5555 method=GET "
                       "target=/v2/a/manifests/latest status=200 bytes=1500 duration_ms=1.234 "
                       "first_byte_ms=0.25 outcome=join registry=docker.io repository=a "
                       "host=localhost:5000 user_agent=\"containerd/2.0 (linux)\"\n"));
}

TEST(AccessRecord, NamesTheRegistrysRepositoryWhereItIsAnother) {
  Log log({.level = LogLevel::Info, .format = LogFormat::Text});
  AccessRecord record = pull();
  const auto line = [&] { return standard_error([&] { write(log, record); }); };
  record.upstream_repository = "a";
  EXPECT_THAT(line(), Not(HasSubstr("upstream_repository")));
  record.upstream_repository = "library/a";
  EXPECT_THAT(line(), HasSubstr(" repository=a upstream_repository=library/a host="));
}

TEST(AccessRecord, OurFailuresAreWarnings) {
  Log log({.level = LogLevel::Warn, .format = LogFormat::Text});
  AccessRecord record = pull();
  for (const int status : {200, 307, 404, 429}) {
    record.status = status;
    EXPECT_EQ(standard_error([&] { write(log, record); }), "") << status;
  }
  record.status = 502;
  record.error = "upstream: no answer";
  EXPECT_THAT(standard_error([&] { write(log, record); }),
              AllOf(HasSubstr(" warn  request "), EndsWith("error=\"upstream: no answer\"\n")));
}

TEST(RequestId, IsSixteenHexDigitsAndNew) {
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(make_request_id());
    EXPECT_EQ(ids.back().size(), 16u);
    EXPECT_EQ(ids.back().find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  std::thread([&ids] { ids.push_back(make_request_id()); }).join();
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

}  // namespace
}  // namespace fairlead::telemetry
