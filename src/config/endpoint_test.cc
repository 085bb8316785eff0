// SPDX-License-Identifier: Apache-2.0
#include "config/endpoint.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fairlead::config {
namespace {

struct Row {
  std::string_view text;
  std::string_view normal;  // empty: refused
};

TEST(Endpoint, ListenAddresses) {
  const std::string long_path = "unix:/" + std::string(120, 'x');
  for (const auto& [text, normal] : std::vector<Row>{{"127.0.0.1:5000", "127.0.0.1:5000"},
                                                     {"0.0.0.0:80", "0.0.0.0:80"},
                                                     {"LocalHost:5000", "localhost:5000"},
                                                     {"[::1]:5000", "[::1]:5000"},
                                                     {"[::]:0", "[::]:0"},
                                                     {"unix:/run/f.sock", "unix:/run/f.sock"},
                                                     {"5000", ""},
                                                     {":5000", ""},
                                                     {"127.0.0.1", ""},
                                                     {"127.0.0.1:", ""},
                                                     {"127.0.0.1:65536", ""},
                                                     {"127.0.0.1:-1", ""},
                                                     {"127.0.0.1:5000x", ""},
                                                     {"127.0.0.1:000005000", ""},
                                                     {"1.2.3:80", ""},
                                                     {"::1:5000", ""},
                                                     {"[::1:5000", ""},
                                                     {"[::1]5000", ""},
                                                     {"[1.2.3.4]:80", ""},
                                                     {"a b:80", ""},
                                                     {"unix:run/f.sock", ""},
                                                     {"unix:", ""},
                                                     {long_path, ""},
                                                     {"", ""}}) {
    const auto got = parse_listen(text);
    EXPECT_EQ(got ? got->text : "", normal) << text;
  }
}

TEST(Endpoint, KnowsWhatOnlyThisMachineReaches) {
  for (const auto* text :
       {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/x", "[0:0:0:0:0:0:0:1]:1"}) {
    EXPECT_TRUE(parse_listen(text)->local) << text;
  }
  for (const auto* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.com:1", "[fe80::1]:1",
                           "localhost.example.com:1"}) {
    EXPECT_FALSE(parse_listen(text)->local) << text;
  }
}

TEST(Endpoint, BaseUrls) {
  for (const auto& [text, normal] :
       std::vector<Row>{{"https://ghcr.io", "https://ghcr.io"},
                        {"https://ghcr.io/", "https://ghcr.io"},
                        {"HTTPS://GHCR.io:443", "https://ghcr.io:443"},
                        {"http://zot:5000", "http://zot:5000"},
                        {"http://my_zot:5000", "http://my_zot:5000"},
                        {"http://127.0.0.1:5000", "http://127.0.0.1:5000"},
                        {"http://[::1]:5000", "http://[::1]:5000"},
                        {"ghcr.io", ""},
                        {"ftp://ghcr.io", ""},
                        {"https:/ghcr.io", ""},
                        {"https://", ""},
                        {"https:///", ""},
                        {"https://ghcr.io//", ""},
                        {"https://ghcr.io/v2", ""},
                        {"https://ghcr.io?x=1", ""},
                        {"https://ghcr.io#x", ""},
                        {"https://user@ghcr.io", ""},
                        {"https://user:pw@ghcr.io", ""},
                        {"https://ghcr.io:", ""},
                        {"https://ghcr.io:0", ""},
                        {"https://ghcr.io:99999", ""},
                        {"https://ghcr..io", ""},
                        {"https://-ghcr.io", ""},
                        {"https://gh cr.io", ""},
                        {"https://gh\rcr.io", ""},
                        {"https://ghcr.io\\@evil", ""},
                        {"https://1.2.3.4.5", ""},
                        {"https://2130706433", ""},
                        {"https://[::1", ""},
                        {"https://[v1.x]", ""}}) {
    const auto got = parse_base_url(text);
    EXPECT_EQ(got ? got->text : "", normal) << text;
  }
  EXPECT_TRUE(parse_base_url("https://x")->encrypted);
  EXPECT_FALSE(parse_base_url("http://x")->encrypted);
}

TEST(Endpoint, Proxies) {
  for (const auto& [text, normal] :
       std::vector<Row>{{"http://proxy:3128", "http://proxy:3128"},
                        {"http://proxy:3128/", "http://proxy:3128"},
                        {"https://proxy", "https://proxy"},
                        {"socks5h://[::1]:1080", "socks5h://[::1]:1080"},
                        {"http://user:p@ss@proxy:3128", "http://user:p@ss@proxy:3128"},
                        {"proxy:3128", ""},
                        {"ftp://proxy:3128", ""},
                        {"http://user:pass@", ""},
                        {"http://proxy:3128/x", ""},
                        {"http://user/x@proxy", ""}}) {
    EXPECT_EQ(parse_proxy(text).value_or(""), normal) << text;
  }
}

TEST(Endpoint, NeverQuotesAUrl) {
  EXPECT_FALSE(parse_base_url("https://bob:hunter2@ghcr.io").error().contains("hunter2"));
  EXPECT_FALSE(parse_proxy("http://bob:hunter2@pro xy").error().contains("hunter2"));
}

}  // namespace
}  // namespace fairlead::config
