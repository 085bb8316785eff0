// SPDX-License-Identifier: Apache-2.0
#include "gateway/readiness.h"

#include <gtest/gtest.h>

#include "testing/manual_clock.h"

namespace fairlead::gateway {
namespace {

TEST(Readiness, TellsWhichPartsDoNotDoTheirWork) {
  testing::ManualClock clock;
  telemetry::Log log{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  s3::BucketHealth of_zot("the bucket images", clock, log);
  s3::BucketHealth of_cache("the bucket cached", clock, log);
  Readiness readiness;
  EXPECT_EQ(readiness.text(), "ok\n");
  readiness.add("registry zot", of_zot);
  readiness.add("cache", of_cache);
  EXPECT_EQ(readiness.text(), "ok\n");

  const Error error{Code::Timeout, Origin::Upstream, Retry::Yes, "the bucket cached: no answer"};
  of_cache.note("s3:GetObject", std::unexpected(error));
  EXPECT_EQ(readiness.text(), "degraded\ncache: the bucket cached: no answer\n");
  of_cache.note("s3:GetObject", {});
  EXPECT_EQ(readiness.text(), "ok\n");
}

}  // namespace
}  // namespace fairlead::gateway
