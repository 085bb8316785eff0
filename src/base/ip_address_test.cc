// SPDX-License-Identifier: Apache-2.0
#include "base/ip_address.h"

#include <gtest/gtest.h>

#include <vector>

namespace fairlead {
namespace {

TEST(IpAddress, IsTheSameHoweverItIsWritten) {
  const struct {
    std::string_view text;
    std::string_view normal;  // empty: refused
  } rows[] = {{"10.0.0.1", "10.0.0.1"},
              {"2001:DB8:0::1", "2001:db8::1"},
              {"::ffff:10.0.0.1", "10.0.0.1"},
              {"::FFFF:a00:1", "10.0.0.1"},
              {"::", "::"},
              {"10.0.0.01", ""},
              {"10.0.1", ""},
              {"0x0a000001", ""},
              {"167772161", ""},
              {" 10.0.0.1", ""},
              {"10.0.0.1 ", ""},
              {"10.0.0.1:80", ""},
              {"[::1]", ""},
              {"fe80::1%eth0", ""},
              {std::string_view("10.0.0.1\0", 9), ""},
              {"localhost", ""},
              {"unix", ""},
              {"", ""}};
  for (const auto& [text, normal] : rows) {
    const auto parsed = IpAddress::parse(text);
    EXPECT_EQ(parsed ? parsed->str() : "", normal) << text;
  }
}

TEST(IpNetwork, HoldsItsAddresses) {
  const struct {
    std::string_view network;
    std::string_view address;
    bool is_within;
  } rows[] = {{"10.0.0.0/8", "10.255.0.1", true},
              {"10.0.0.0/8", "11.0.0.1", false},
              {"10.0.0.0/8", "::ffff:10.1.1.1", true},
              {"::ffff:10.0.0.0/104", "10.1.1.1", true},
              {"10.0.0.0/9", "10.127.255.255", true},
              {"10.0.0.0/9", "10.128.0.0", false},
              {"0.0.0.0/0", "255.1.1.1", true},
              {"0.0.0.0/0", "::1", false},
              {"::/0", "2001:db8::1", true},
              {"::/0", "10.0.0.1", false},
              {"10.0.0.1", "10.0.0.1", true},
              {"10.0.0.1", "10.0.0.0", false},
              {"::1", "::1", true},
              {"::1", "::2", false},
              {"2001:db8::/33", "2001:db8:7fff::1", true},
              {"2001:db8::/33", "2001:db8:8000::1", false},
              {"a00::/8", "10.0.0.0", false}};
  for (const auto& [network, address, is_within] : rows) {
    const auto parsed = IpNetwork::parse(network);
    ASSERT_TRUE(parsed) << network;
    EXPECT_EQ(parsed->contains(*IpAddress::parse(address)), is_within) << network << " " << address;
  }
}

TEST(IpNetwork, SaysWhatIsWrong) {
  EXPECT_EQ(IpNetwork::parse("10.0.0.5/8").error(),
            "is an address within a network: write 10.0.0.0/8");
  for (const std::string_view text :
       {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/0008"}) {
    EXPECT_EQ(IpNetwork::parse(text).error(), "has no prefix from 0 to 32 behind its slash")
        << text;
  }
  EXPECT_EQ(IpNetwork::parse("::/129").error(), "has no prefix from 0 to 128 behind its slash");
  for (const std::string_view text : {"", "/8", "proxy", "10.0/8", "[::1]"}) {
    EXPECT_EQ(IpNetwork::parse(text).error(), "is no address or network (10.0.0.0/8, ::1)") << text;
  }
}

TEST(IpAddress, OfAPeer) {
  const struct {
    std::string_view peer;
    std::string_view address;  // empty: none
  } rows[] = {{"10.0.0.1:5555", "10.0.0.1"},
              {"10.0.0.1", "10.0.0.1"},
              {"[::1]:5555", "::1"},
              {"[::1]", "::1"},
              {"::1", "::1"},
              {"unix", ""},
              {"unknown", ""},
              {"10.0.0.1:", ""},
              {"10.0.0.1:x", ""},
              {"[10.0.0.1]:80", ""},
              {"[::1]x", ""},
              {"[::1]:", ""},
              {"[::1", ""},
              {":80", ""},
              {"", ""}};
  for (const auto& [peer, address] : rows) {
    const auto parsed = address_of_peer(peer);
    EXPECT_EQ(parsed ? parsed->str() : "", address) << peer;
  }
}

// The attack: one machine, and as many addresses as it likes.
TEST(IpAddress, AClientOfIpv6IsItsNetwork) {
  EXPECT_EQ(client_network("2001:db8:1:2::1"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_network("2001:db8:1:2:ffff::9"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_network("2001:db8:1:3::1"), "2001:db8:1:3::/64");
  EXPECT_EQ(client_network("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(client_network("::ffff:10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(client_network("unix"), "unix");
}

}  // namespace
}  // namespace fairlead
