// SPDX-License-Identifier: Apache-2.0
#include "gateway/service_name.h"

#include <gtest/gtest.h>

namespace fairlead::gateway {
namespace {

TEST(ServiceName, ReadsWhatItWrites) {
  const struct {
    ServiceName name;
    std::string_view text;
  } cases[] = {
      {{"registry.example.com", ""}, "registry.example.com"},
      {{"registry.example.com:5000", ""}, "registry.example.com:5000"},
      {{"mirror:5000", "docker.io"}, "mirror:5000?ns=docker.io"},
      {{"[::1]:5000", "localhost:5001"}, "[::1]:5000?ns=localhost:5001"},
  };
  for (const auto& [name, text] : cases) {
    EXPECT_EQ(write_service(name), text);
    const auto read = parse_service(text);
    EXPECT_EQ(read.authority, name.authority);
    EXPECT_EQ(read.name_space, name.name_space);
  }
}

TEST(ServiceName, AnAuthorityCanStandInAQuotedUrl) {
  for (const std::string_view good : {"a", "a.b:1", "[::1]:5000", "A_b-c"}) {
    EXPECT_TRUE(is_authority(good)) << good;
  }
  for (const std::string_view bad :
       {"", "a\"b", "a/b", "a b", "a?b", "a,b", "a\r\nb", "u@a", "ä"}) {
    EXPECT_FALSE(is_authority(bad)) << bad;
  }
  EXPECT_FALSE(is_authority(std::string(300, 'a')));
}

TEST(ServiceName, APortIsNoPartOfAHost) {
  EXPECT_EQ(without_port("a.b:5000"), "a.b");
  EXPECT_EQ(without_port("a.b"), "a.b");
  EXPECT_EQ(without_port("[::1]:5000"), "[::1]");
  EXPECT_EQ(without_port("[::1]"), "[::1]");
}

}  // namespace
}  // namespace fairlead::gateway
