// SPDX-License-Identifier: Apache-2.0
#include "s3/credential_source.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

// Hands out "key-1", "key-2", ... at once, or when it is told to.
class FakeFetcher final : public CredentialFetcher {
 public:
  struct Script {
    int fetches = 0;
    bool holds = false;
    bool fails = false;
    std::optional<WallTime> expiry;
    async::Broadcast released;

    void release() {
      holds = false;
      released.notify_all();
    }
  };

  explicit FakeFetcher(Script& script) : script_(script) {}

  async::Task<Result<S3Credentials>> fetch(CredentialChannel) override {
    const int number = ++script_.fetches;
    while (script_.holds) {
      const auto seen = script_.released.version();
      if (!script_.holds) break;
      co_await script_.released.wait(seen, std::chrono::steady_clock::now() + 1min);
    }
    if (script_.fails) co_return upstream_error(Code::Unavailable, Retry::Yes, "no answer");
    co_return S3Credentials{.access_key = "key-" + std::to_string(number),
                            .secret_key = Secret("hush"),
                            .expiry = script_.expiry};
  }

 private:
  Script& script_;
};

class CredentialSourceTest : public fairlead::testing::CoroutineTest {
 protected:
  // The access key, or the error.
  std::string get() {
    const auto credentials = run(source_.get(channel_));
    return credentials ? (*credentials)->access_key : credentials.error().context;
  }
  std::string ready() {
    const auto credentials = source_.ready();
    return credentials ? credentials->access_key : "none";
  }
  void expire_in(std::chrono::seconds left) { script_.expiry = clock_.wall() + left; }

  fairlead::testing::ManualClock clock_;
  telemetry::Log log_{{.level = telemetry::LogLevel::Error}};
  upstream::HttpTransport transport_{context_.get_executor()};
  async::BlockingPool pool_{1};
  CredentialChannel channel_{.transport = transport_, .pool = pool_};
  FakeFetcher::Script script_;
  CredentialSource source_{std::make_unique<FakeFetcher>(script_), clock_, log_};
};

TEST_F(CredentialSourceTest, WhatDoesNotExpireIsFetchedOnce) {
  EXPECT_EQ(ready(), "none");
  EXPECT_EQ(get(), "key-1");
  clock_.advance(24h * 365);
  EXPECT_EQ(get(), "key-1");
  EXPECT_EQ(ready(), "key-1");
}

TEST_F(CredentialSourceTest, IsRefreshedBeforeExpiry) {
  expire_in(1h);
  EXPECT_EQ(get(), "key-1");
  clock_.advance(1h - CredentialSource::kRefreshBefore - 1s);
  EXPECT_EQ(ready(), "key-1");
  EXPECT_EQ(get(), "key-1");
  clock_.advance(1s);
  EXPECT_EQ(ready(), "none");
  expire_in(1h);
  EXPECT_EQ(get(), "key-2");
  EXPECT_EQ(ready(), "key-2");
}

TEST_F(CredentialSourceTest, ManyCallersShareAFetch) {
  script_.holds = true;
  std::array<std::optional<Result<SharedCredentials>>, 8> results;
  for (auto& result : results) begin(source_.get(channel_), result);
  run_until([&] { return script_.fetches > 0; });
  run_for(20ms);
  script_.release();
  for (auto& result : results) run_until([&] { return result.has_value(); });
  EXPECT_EQ(script_.fetches, 1);
  for (auto& result : results) EXPECT_EQ((**result)->access_key, "key-1");
}

TEST_F(CredentialSourceTest, OnlyOneCallerWaitsForARefresh) {
  expire_in(10min);
  EXPECT_EQ(get(), "key-1");
  clock_.advance(6min);
  expire_in(1h);
  script_.holds = true;
  std::optional<Result<SharedCredentials>> first;
  begin(source_.get(channel_), first);
  run_until([&] { return script_.fetches == 2; });
  EXPECT_EQ(get(), "key-1");
  EXPECT_FALSE(first);
  script_.release();
  run_until([&] { return first.has_value(); });
  EXPECT_EQ((**first)->access_key, "key-2");
  EXPECT_EQ(script_.fetches, 2);
}

TEST_F(CredentialSourceTest, OldOnesServeOnWhileARefreshFails) {
  expire_in(10min);
  EXPECT_EQ(get(), "key-1");
  clock_.advance(6min);
  script_.fails = true;
  EXPECT_EQ(get(), "key-1");
  EXPECT_EQ(get(), "key-1");
  EXPECT_EQ(ready(), "key-1");
  EXPECT_EQ(script_.fetches, 2);  // the failure is remembered
  clock_.advance(CredentialSource::kPause);
  EXPECT_EQ(get(), "key-1");
  EXPECT_EQ(script_.fetches, 3);
  clock_.advance(4min);  // now less than the margin is left
  EXPECT_EQ(get(), "no answer");
  EXPECT_EQ(ready(), "none");
}

TEST_F(CredentialSourceTest, AFailureIsRememberedBriefly) {
  script_.fails = true;
  EXPECT_EQ(get(), "no answer");
  script_.fails = false;
  EXPECT_EQ(get(), "no answer");
  EXPECT_EQ(script_.fetches, 1);
  clock_.advance(CredentialSource::kPause);
  EXPECT_EQ(get(), "key-2");
}

TEST_F(CredentialSourceTest, ExpiredOnesAreNone) {
  expire_in(CredentialSource::kMargin);
  EXPECT_TRUE(get().contains("expired"));
  expire_in(CredentialSource::kMargin + 1s);
  clock_.advance(CredentialSource::kPause);
  expire_in(CredentialSource::kMargin + 1s);
  EXPECT_EQ(get(), "key-2");
}

TEST_F(CredentialSourceTest, TheWallClockDecidesWhatHasExpired) {
  expire_in(1h);
  EXPECT_EQ(get(), "key-1");
  clock_.jump(2h);
  expire_in(1h);
  EXPECT_EQ(get(), "key-2");
}

TEST_F(CredentialSourceTest, RefusedOnesAreFetchedAnew) {
  EXPECT_EQ(get(), "key-1");
  const auto old = source_.ready();
  source_.refuse(old);  // just fetched: S3 would refuse the next as well
  EXPECT_EQ(get(), "key-1");
  clock_.advance(CredentialSource::kPause);
  source_.refuse(old);
  EXPECT_EQ(ready(), "none");
  EXPECT_EQ(get(), "key-2");
  clock_.advance(CredentialSource::kPause);
  source_.refuse(old);  // not those in use any more
  EXPECT_EQ(get(), "key-2");
}

TEST_F(CredentialSourceTest, AllWhoWereRefusedWaitForNewOnes) {
  EXPECT_EQ(get(), "key-1");
  clock_.advance(CredentialSource::kPause);
  source_.refuse(source_.ready());
  script_.holds = true;
  std::array<std::optional<Result<SharedCredentials>>, 3> got;
  for (auto& each : got) begin(source_.get(channel_), each);
  run_until([&] { return script_.fetches == 2; });
  run_for(10ms);
  EXPECT_FALSE(got[2]);
  script_.release();
  run_until([&] { return std::ranges::all_of(got, [](const auto& each) { return !!each; }); });
  for (const auto& each : got) EXPECT_EQ((**each)->access_key, "key-2");
  EXPECT_EQ(script_.fetches, 2);
}

TEST_F(CredentialSourceTest, ACallerThatGoesAwayLeavesTheNextToFetch) {
  script_.holds = true;
  boost::asio::cancellation_signal hang_up;
  bool is_gone = false;
  boost::asio::co_spawn(
      context_.get_executor(), source_.get(channel_),
      boost::asio::bind_cancellation_slot(
          hang_up.slot(), [&](const std::exception_ptr&, const auto&) { is_gone = true; }));
  run_until([&] { return script_.fetches == 1; });
  hang_up.emit(boost::asio::cancellation_type::terminal);
  run_until([&] { return is_gone; });
  script_.holds = false;
  EXPECT_EQ(get(), "key-2");
}

}  // namespace
}  // namespace fairlead::s3
