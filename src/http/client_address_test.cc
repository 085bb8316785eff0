// SPDX-License-Identifier: Apache-2.0
#include "http/client_address.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace fairlead::http {
namespace {

TrustedProxies trusting(std::initializer_list<std::string_view> texts) {
  TrustedProxies trusted;
  for (const auto text : texts) EXPECT_TRUE(trusted.add(text)) << text;
  return trusted;
}

Request from(std::string_view peer, std::initializer_list<HeaderField> fields) {
  Request request;
  request.peer = peer;
  request.host = "asked.example:5000";
  request.fields = fields;
  return request;
}

const TrustedProxies kTrusted = trusting({"10.0.0.0/8", "::1", "unix"});

std::string address(std::string_view peer, std::initializer_list<HeaderField> fields) {
  return client_of(from(peer, fields), kTrusted).address;
}
std::string forwarded(std::string_view value) {
  return address("10.0.0.1:999", {{"X-Forwarded-For", value}});
}

TEST(TrustedProxies, MatchPeers) {
  for (const std::string_view peer : {"10.1.2.3:80", "[::1]:80", "unix"}) {
    EXPECT_TRUE(kTrusted.matches(peer)) << peer;
  }
  for (const std::string_view peer : {"11.1.2.3:80", "[::2]:80", "unknown", ""}) {
    EXPECT_FALSE(kTrusted.matches(peer)) << peer;
  }
  EXPECT_FALSE(trusting({"0.0.0.0/0"}).matches("unix"));
  EXPECT_TRUE(TrustedProxies().empty());
  EXPECT_FALSE(TrustedProxies().matches("127.0.0.1:80"));
  EXPECT_FALSE(trusting({"unix"}).empty());
}

TEST(TrustedProxies, RefuseWhatIsNoNetwork) {
  TrustedProxies trusted;
  for (const std::string_view text : {"proxy.example", "10.0.0.0/33", "10.0.0.1/8", "Unix", ""}) {
    EXPECT_FALSE(trusted.add(text)) << text;
  }
  EXPECT_TRUE(trusted.empty());
}

TEST(ClientAddress, IsThePeerWithoutAProxy) {
  EXPECT_EQ(address("192.0.2.1:999", {}), "192.0.2.1");
  EXPECT_EQ(address("[2001:DB8::1]:999", {}), "2001:db8::1");
  EXPECT_EQ(client_of(from("unix", {}), {}).address, "unix");
  EXPECT_EQ(client_of(from("unknown", {}), {}).address, "unknown");
}

// The attack: a client that says itself who it is.
TEST(ClientAddress, OfAStrangerNothingIsBelieved) {
  for (const std::string_view peer : {"192.0.2.1:999", "unknown"}) {
    const auto client = client_of(from(peer, {{"X-Forwarded-For", "10.0.0.7"},
                                              {"X-Forwarded-Proto", "https"},
                                              {"X-Forwarded-Host", "evil.example"}}),
                                  kTrusted);
    EXPECT_TRUE(peer.starts_with(client.address));
    EXPECT_FALSE(client.is_secure);
    EXPECT_EQ(client.host, "asked.example:5000");
  }
  EXPECT_EQ(client_of(from("unix", {{"X-Forwarded-For", "192.0.2.1"}}), trusting({"::1"})).address,
            "unix");
}

// The same through a proxy, which puts the client's own address behind what it claims.
TEST(ClientAddress, WhatTheClientClaimedStandsLeftAndIsNotReached) {
  EXPECT_EQ(forwarded("127.0.0.1, 198.51.100.9, 192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(forwarded("10.0.0.7, 192.0.2.1, 10.0.0.2"), "192.0.2.1");
  EXPECT_EQ(address("10.0.0.1:9", {{"X-Forwarded-For", "198.51.100.9"},
                                   {"X-Other", "x"},
                                   {"x-forwarded-for", "192.0.2.1"}}),
            "192.0.2.1")
      << "a second field continues the first";
}

TEST(ClientAddress, IsTheRightmostThatIsNoProxy) {
  const struct {
    std::string_view value;
    std::string_view client;
  } rows[] = {{"192.0.2.1", "192.0.2.1"},         {"192.0.2.1,10.0.0.3 ,\t10.0.0.2", "192.0.2.1"},
              {"2001:db8::1", "2001:db8::1"},     {"2001:db8::1, ::1", "2001:db8::1"},
              {"192.0.2.1:4711", "192.0.2.1"},    {"[2001:db8::1]:4711", "2001:db8::1"},
              {"::ffff:10.0.0.2", "10.0.0.2"},    {"192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"},
              {"10.0.0.3, 10.0.0.2", "10.0.0.3"}, {"", "10.0.0.1"}};
  for (const auto& [value, client] : rows) EXPECT_EQ(forwarded(value), client) << value;
  EXPECT_EQ(address("10.0.0.1:9", {}), "10.0.0.1");
  EXPECT_EQ(address("unix", {}), "unix");
  EXPECT_EQ(address("unix", {{"X-Forwarded-For", "192.0.2.1"}}), "192.0.2.1");
}

TEST(ClientAddress, GarbageStopsAtTheProxyThatSentIt) {
  for (const std::string_view garbage :
       {"unknown", "_hidden", "a b", "192.0.2.1:x", "192.0.2.1 192.0.2.2", "\"192.0.2.1\"",
        "fe80::1%eth0", "for=192.0.2.1", "1.2.3.4.5", "[::1", "\xff", "unix"}) {
    const std::string value = "192.0.2.1, " + std::string(garbage) + ", 10.0.0.2";
    EXPECT_EQ(forwarded(value), "10.0.0.2") << garbage;
    EXPECT_EQ(forwarded(garbage), "10.0.0.1") << garbage;
  }
  EXPECT_EQ(forwarded("192.0.2.1,, 10.0.0.2"), "10.0.0.2");
  EXPECT_EQ(forwarded("192.0.2.1,"), "10.0.0.1");
}

// The attack: thirty thousand bytes of trusted addresses to look through.
TEST(ClientAddress, ALongChainIsNotFollowed) {
  std::string value = "192.0.2.1";
  for (int i = 0; i < 3000; ++i) value += ", 10.0.0.2";
  EXPECT_EQ(forwarded(value), "10.0.0.2");
}

TEST(ClientInfo, TheSchemeIsTheNearestProxys) {
  const auto is_secure = [](std::string_view value, bool over_tls) {
    Request request = from("10.0.0.1:9", {{"X-Forwarded-Proto", value}});
    request.is_secure = over_tls;
    return client_of(request, kTrusted).is_secure;
  };
  EXPECT_TRUE(is_secure("https", false));
  EXPECT_TRUE(is_secure("HTTPS", false));
  EXPECT_TRUE(is_secure("http, https", false));
  EXPECT_FALSE(is_secure("https, http", false));
  EXPECT_FALSE(is_secure("http", true)) << "the client came in the clear";
  for (const std::string_view garbage : {"", "wss", "https x", "https,"}) {
    EXPECT_TRUE(is_secure(garbage, true)) << garbage;
    EXPECT_FALSE(is_secure(garbage, false)) << garbage;
  }
}

TEST(ClientInfo, TheHostIsTheNearestProxysIfItIsOne) {
  const auto host = [](std::string_view value) {
    return client_of(from("10.0.0.1:9", {{"X-Forwarded-Host", value}}), kTrusted).host;
  };
  for (const std::string good : {"registry.example.com", "registry.example.com:5000",
                                 "Registry.Example.com", "192.0.2.1:80", "[2001:db8::1]:80"}) {
    EXPECT_EQ(host(good), good);
    EXPECT_EQ(host("evil.example, " + good), good);
  }
  // The attack: a host that breaks out of the header or URL that it is written to.
  for (const std::string bad :
       {"", "a/b", "a b", "a\"b", "user@host", "host:", "host:0", "host:99999", "host:5000/x",
        "a?b", "a#b", "a\\b", "1.2.3", "[::1", "[::1]x", "-a", "a..b", "evil.example,"}) {
    EXPECT_EQ(host(bad), "asked.example:5000") << bad;
  }
}

}  // namespace
}  // namespace fairlead::http
