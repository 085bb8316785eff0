// SPDX-License-Identifier: Apache-2.0
#include "gateway/client_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "testing/manual_clock.h"

namespace fairlead::gateway {
namespace {

using namespace std::chrono_literals;

class ClientLimitsTest : public ::testing::Test {
 protected:
  static http::Limits limits(std::size_t requests, std::size_t bandwidth) {
    return {.requests_per_second = requests, .bandwidth = bandwidth};
  }
  // How long `key` has to wait; 0s: not at all.
  std::chrono::seconds wait(ClientLimits& limits, std::string_view key = "a") {
    return limits.admit(key, clock_.steady()).value_or(0s);
  }
  int admitted_of(ClientLimits& limits, int requests, std::string_view key = "a") {
    int admitted = 0;
    for (int i = 0; i < requests; ++i) admitted += wait(limits, key) == 0s ? 1 : 0;
    return admitted;
  }

  fairlead::testing::ManualClock clock_;
};

TEST_F(ClientLimitsTest, WithoutALimitNobodyIsKnown) {
  ClientLimits none(limits(0, 0));
  EXPECT_EQ(admitted_of(none, 1000), 1000);
  EXPECT_EQ(none.take_bytes("a", std::uint64_t{1} << 50, clock_.steady()), 0s);
  EXPECT_FALSE(none.paces());
  EXPECT_EQ(none.clients(), 0u);
}

TEST_F(ClientLimitsTest, RequestsMayComeInABurst) {
  ClientLimits slow(limits(2, 0));
  EXPECT_EQ(admitted_of(slow, 100), 10);
  EXPECT_EQ(wait(slow), 1s);
  EXPECT_EQ(admitted_of(slow, 100, "b"), 10) << "another client";
  ClientLimits fast(limits(50, 0));
  EXPECT_EQ(admitted_of(fast, 100), 50);
}

TEST_F(ClientLimitsTest, ThenTheyComeAtTheirRate) {
  ClientLimits limit(limits(2, 0));
  EXPECT_EQ(admitted_of(limit, 10), 10);
  clock_.advance(499ms);
  EXPECT_EQ(wait(limit), 1s);
  clock_.advance(1ms);
  EXPECT_EQ(admitted_of(limit, 2), 1);
  clock_.advance(3s);
  EXPECT_EQ(admitted_of(limit, 100), 6);
  clock_.advance(1h);
  EXPECT_EQ(admitted_of(limit, 100), 10) << "tokens pile up";
}

// What is refused costs nothing: who asks again too soon is not shut out for good.
TEST_F(ClientLimitsTest, ARefusedRequestTakesNoToken) {
  ClientLimits limit(limits(1, 0));
  EXPECT_EQ(admitted_of(limit, 1000), 10);
  clock_.advance(1s);
  EXPECT_EQ(wait(limit), 0s);
}

TEST_F(ClientLimitsTest, BytesArePaced) {
  ClientLimits limit(limits(0, 1000));
  EXPECT_TRUE(limit.paces());
  const auto take = [&](std::uint64_t bytes, std::string_view key = "a") {
    return limit.take_bytes(key, bytes, clock_.steady());
  };
  EXPECT_EQ(take(500), 0s) << "the first piece goes at once";
  EXPECT_EQ(take(500), 500ms);
  EXPECT_EQ(take(500), 1s) << "a second transfer of the same client";
  EXPECT_EQ(take(500, "b"), 0s);
  clock_.advance(1500ms);
  EXPECT_EQ(take(100), 0s);
  clock_.advance(1h);
  EXPECT_EQ(take(100), 0s);
  EXPECT_EQ(take(100), 100ms) << "an idle hour was saved up";
}

TEST_F(ClientLimitsTest, ATransferComesOutAtTheBandwidth) {
  ClientLimits limit(limits(0, 50'000'000));
  const SteadyTime begin = clock_.steady();
  for (std::uint64_t sent = 0; sent < 500'000'000; sent += limit.piece()) {
    clock_.advance(limit.take_bytes("a", limit.piece(), clock_.steady()));
  }
  EXPECT_NEAR(std::chrono::duration<double>(clock_.steady() - begin).count(), 10, 0.1);
}

TEST_F(ClientLimitsTest, WhoHasTooManyTransfersGetsNoMore) {
  ClientLimits limit(limits(0, 1000));
  std::ignore = limit.take_bytes("a", 10'000, clock_.steady());
  EXPECT_EQ(wait(limit), 0s);
  std::ignore = limit.take_bytes("a", 2'500, clock_.steady());
  EXPECT_EQ(wait(limit), 3s);
  EXPECT_EQ(wait(limit, "b"), 0s);
  clock_.advance(2500ms);
  EXPECT_EQ(wait(limit), 0s);
}

TEST_F(ClientLimitsTest, NoAmountShutsAClientOutForGood) {
  ClientLimits limit(limits(0, 1));
  for (int i = 0; i < 3; ++i) {
    std::ignore = limit.take_bytes("a", std::numeric_limits<std::uint64_t>::max(), clock_.steady());
  }
  EXPECT_LE(wait(limit), 1h);
  EXPECT_GT(wait(limit), 59min);
}

TEST_F(ClientLimitsTest, PiecesFitTheBandwidth) {
  EXPECT_EQ(ClientLimits(limits(0, 1)).piece(), 16u * 1024);
  EXPECT_EQ(ClientLimits(limits(0, 1024 * 1024)).piece(), 128u * 1024);
  EXPECT_EQ(ClientLimits(limits(0, std::size_t{1} << 40)).piece(), 1024u * 1024);
}

// The attack: more addresses than there is room for, to be forgotten oneself.
TEST_F(ClientLimitsTest, IsBoundedAndKeepsTheBusiest) {
  ClientLimits limit(limits(1, 0));
  EXPECT_EQ(admitted_of(limit, 10, "busy"), 10);
  for (std::size_t i = 0; i < 3 * ClientLimits::kMaxClients; ++i) {
    std::ignore = limit.admit(std::to_string(i), clock_.steady());
  }
  EXPECT_LE(limit.clients(), ClientLimits::kMaxClients);
  EXPECT_GT(limit.clients(), ClientLimits::kMaxClients / 16);
  EXPECT_GT(wait(limit, "busy"), 0s);
  clock_.advance(1min);
  EXPECT_EQ(admitted_of(limit, 10, "new"), 10);
}

TEST_F(ClientLimitsTest, AllThreadsTogetherGetWhatOneWouldGet) {
  ClientLimits limit(limits(1000, 1'000'000));
  const SteadyTime now = clock_.steady();
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        if (!limit.admit("shared", now)) ++admitted;
        std::ignore = limit.take_bytes("shared", 1000, now);
        std::ignore = limit.admit(std::to_string(i), now);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admitted, 1000);
  EXPECT_EQ(limit.take_bytes("shared", 0, now), 4s);
}

TEST(LimitKey, IsThePrincipalElseTheAddress) {
  using auth::Caller;
  const Caller nobody;
  const Caller alice{.kind = Caller::Kind::User, .name = "alice"};
  const Caller issued{.kind = Caller::Kind::Issued, .name = "alice"};
  const Caller nameless{.kind = Caller::Kind::Issued};
  EXPECT_EQ(limit_key(alice, "192.0.2.1"), limit_key(alice, "192.0.2.2"));
  EXPECT_NE(limit_key(alice, "192.0.2.1"), limit_key(issued, "192.0.2.1"));
  EXPECT_NE(limit_key(nobody, "192.0.2.1"), limit_key(nobody, "192.0.2.2"));
  EXPECT_EQ(limit_key(nobody, "192.0.2.1"), limit_key(nameless, "192.0.2.1"));
  EXPECT_EQ(limit_key(nobody, "2001:db8::1"), limit_key(nobody, "2001:db8::2"));
  // The attack: a name that its bearer has chosen, a new one each time, or somebody else's.
  const Caller relayed{.kind = Caller::Kind::Relayed, .name = "alice"};
  EXPECT_EQ(limit_key(relayed, "192.0.2.1"), limit_key(nobody, "192.0.2.1"));
  EXPECT_NE(limit_key(relayed, "192.0.2.1"), limit_key(issued, "192.0.2.1"));
  // The attack: a name that is somebody's address.
  const Caller address{.kind = Caller::Kind::Issued, .name = "192.0.2.1"};
  EXPECT_NE(limit_key(address, "192.0.2.9"), limit_key(nobody, "192.0.2.1"));
}

}  // namespace
}  // namespace fairlead::gateway
