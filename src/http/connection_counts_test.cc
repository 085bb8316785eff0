// SPDX-License-Identifier: Apache-2.0
#include "http/connection_counts.h"

#include <gtest/gtest.h>

#include <vector>

namespace fairlead::http {
namespace {

TEST(ConnectionCounts, EachClientHasItsOwn) {
  const TrustedProxies none;
  ConnectionCounts counts(2, none);
  std::vector<ConnectionCounts::Place> places;
  for (const std::string_view peer : {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"}) {
    auto place = counts.enter(peer);
    ASSERT_TRUE(place) << peer;
    places.push_back(*std::move(place));
  }
  EXPECT_FALSE(counts.enter("192.0.2.1:3"));
  EXPECT_TRUE(counts.enter("192.0.2.2:3"));
  EXPECT_EQ(counts.clients(), 2u);
  places.clear();
  EXPECT_EQ(counts.clients(), 0u) << "what has gone is still held";
  EXPECT_TRUE(counts.enter("192.0.2.1:3"));
}

// The attack: another address of one's own network for every connection.
TEST(ConnectionCounts, AnIpv6NetworkIsOneClient) {
  const TrustedProxies none;
  ConnectionCounts counts(1, none);
  const auto first = counts.enter("[2001:db8::1]:1");
  EXPECT_FALSE(counts.enter("[2001:db8::2]:1"));
  EXPECT_TRUE(counts.enter("[2001:db8:0:1::2]:1"));
}

TEST(ConnectionCounts, ProxiesAndUnixPeersAreNotCounted) {
  TrustedProxies proxies;
  ASSERT_TRUE(proxies.add("10.0.0.0/8"));
  ConnectionCounts counts(1, proxies);
  for (const std::string_view peer : {"10.0.0.1:1", "unix", "unknown"}) {
    const auto first = counts.enter(peer);
    const auto second = counts.enter(peer);
    EXPECT_TRUE(first && second) << peer;
  }
  EXPECT_EQ(counts.clients(), 0u);
}

TEST(ConnectionCounts, NoLimitCountsNothing) {
  const TrustedProxies none;
  ConnectionCounts counts(0, none);
  const auto first = counts.enter("192.0.2.1:1");
  EXPECT_TRUE(first);
  EXPECT_EQ(counts.clients(), 0u);
}

}  // namespace
}  // namespace fairlead::http
