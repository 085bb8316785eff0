// SPDX-License-Identifier: Apache-2.0
#include "base/host_port.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead {
namespace {

TEST(HostPort, IsReadAndWritten) {
  const struct {
    std::string_view text;
    std::string_view normal;  // empty: refused
  } rows[] = {{"Registry.Example.com", "registry.example.com"},
              {"registry:5000", "registry:5000"},
              {"my_zot", "my_zot"},
              {"10.0.0.1:80", "10.0.0.1:80"},
              {"[2001:DB8::1]", "[2001:db8::1]"},
              {"[::1]:443", "[::1]:443"},
              {"", ""},
              {":80", ""},
              {"host:", ""},
              {"host:65536", ""},
              {"host:080808", ""},
              {"host:+80", ""},
              {"host:80:80", ""},
              {"10.0.0", ""},
              {"10.0.0.256", ""},
              {"::1", ""},
              {"[::1", ""},
              {"[10.0.0.1]", ""},
              {"[::1]80", ""},
              {"a..b", ""},
              {"-a", ""},
              {"a b", ""},
              {"a/b", ""},
              {"user@host", ""},
              {std::string_view("a\0b", 3), ""},
              {std::string_view("[::1\0]", 6), ""}};
  for (const auto& [text, normal] : rows) {
    const auto parsed = parse_host_port(text);
    EXPECT_EQ(parsed ? to_string(*parsed) : "", normal) << text;
  }
  EXPECT_FALSE(parse_host_port(std::string(64, 'a')));
  EXPECT_TRUE(parse_host_port(std::string(63, 'a')));
}

}  // namespace
}  // namespace fairlead
