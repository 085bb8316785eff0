// SPDX-License-Identifier: Apache-2.0
#include "upstream/url.h"

#include <gtest/gtest.h>

namespace fairlead::upstream {
namespace {

TEST(UrlTest, ANameThatBeginsLikeAnAddressIsAName) {
  for (const auto& [url, host, port] :
       std::vector<std::tuple<const char*, const char*, std::uint16_t>>{
           {"http://10.0.0.1/", "10.0.0.1", 80},
           {"http://10.0.0.1.evil.example/", "10.0.0.1.evil.example", 80},
           {"https://10.0.0.1.NIP.example:5000", "10.0.0.1.nip.example", 5000},
           {"https://10.0.0.1evil.example?a=/b", "10.0.0.1evil.example", 443}}) {
    const auto origin = origin_of(url);
    ASSERT_TRUE(origin) << url;
    EXPECT_EQ(origin->host, host);
    EXPECT_EQ(origin->port, port);
  }
  for (const char* url : {"http://10.0.0.1@evil.example/", "http://10.0.0.1.evil.example@x/",
                          "http://10.0.0.1.evil.example:0/", "http://10.0.0.1.a%2fb/"}) {
    EXPECT_FALSE(origin_of(url)) << url;
  }
}

TEST(UrlTest, ARelativeReferenceDoesNotLeadToTheAddressInAName) {
  EXPECT_EQ(resolve_url("http://10.0.0.1/a", "/b"), "http://10.0.0.1/b");
  EXPECT_EQ(resolve_url("http://10.0.0.1.evil.example/a", "/b"), std::nullopt);
  EXPECT_EQ(resolve_url("http://evil.example/a", "//10.0.0.1.evil.example/b"), std::nullopt);
  EXPECT_EQ(resolve_url("http://evil.example/", "http://10.0.0.1.evil.example/b"),
            "http://10.0.0.1.evil.example/b");
}

}  // namespace
}  // namespace fairlead::upstream
