// SPDX-License-Identifier: Apache-2.0
#include "upstream/redirect.h"

#include <gtest/gtest.h>

namespace fairlead::upstream {
namespace {

struct Case {
  std::string registry;
  std::string location;
  std::string url;  // empty: refused with `code`
  bool keeps_authorization = false;
  Code code = Code::Corrupt;
};

TEST(Redirect, FollowsTheRules) {
  const Case cases[] = {
      {"https://r.example", "https://r.example/x", "https://r.example/x", true},
      {"https://r.example", "/v2/x?y=%2F#z", "https://r.example/v2/x?y=%2F", true},
      {"https://r.example", "../other", "https://r.example/v2/a/other", true},
      {"https://r.example", "https://R.example:443/x", "https://R.example:443/x", true},
      {"https://r.example", "//cdn.example/x", "https://cdn.example/x", false},
      {"https://r.example", "https://r.example:8443/x", "https://r.example:8443/x", false},
      // a signed location stays byte for byte
      {"https://r.example", "https://cdn.example/a/../b%2f?X-Sig=a%2Bb%3D",
       "https://cdn.example/a/../b%2f?X-Sig=a%2Bb%3D", false},
      {"http://r.example", "http://cdn.example/x", "http://cdn.example/x", false},
      {"http://r.example", "https://r.example/x", "https://r.example/x", false},
      // into the clear
      {"https://r.example", "http://r.example/x", "", false, Code::Denied},
      // inwards
      {"https://r.example", "https://169.254.169.254/latest", "", false, Code::Denied},
      {"https://r.example", "https://127.0.0.1/", "", false, Code::Denied},
      {"https://r.example", "https://2130706433/", "", false, Code::Denied},
      {"https://r.example", "https://0x7f.1/", "", false, Code::Denied},
      {"https://r.example", "https://localhost:9000/", "", false, Code::Denied},
      {"https://r.example", "https://[::1]/", "", false, Code::Denied},
      {"https://r.example", "https://[::ffff:10.0.0.1]/", "", false, Code::Denied},
      {"https://r.example", "https://[fd00::1]/", "", false, Code::Denied},
      {"https://10.0.0.7", "https://10.0.0.8/x", "https://10.0.0.8/x", false},
      {"http://zot:5000", "http://127.0.0.1:9000/x", "http://127.0.0.1:9000/x", false},
      // nonsense
      {"https://r.example", "", ""},
      {"https://r.example", "file:///etc/passwd", ""},
      {"https://r.example", "gopher://r.example/", ""},
      {"https://r.example", "https://user:pass@r.example/", ""},
      {"https://r.example", "https://", ""},
      {"https://r.example", "https://r.example/a b", ""},
      {"https://r.example", "https://r.example/\r\nX: y", ""},
      {"https://r.example", "https://r.example:99999/", ""},
  };
  for (const Case& c : cases) {
    const auto target = redirect_target(c.registry, c.registry + "/v2/a/blobs/x", c.location);
    if (c.url.empty()) {
      ASSERT_FALSE(target) << c.location;
      EXPECT_EQ(target.error().code, c.code) << c.location;
    } else {
      ASSERT_TRUE(target) << c.location << ": " << target.error().context;
      EXPECT_EQ(target->url, c.url);
      EXPECT_EQ(target->keeps_authorization, c.keeps_authorization) << c.location;
    }
  }
}

TEST(Redirect, JudgesHopsByTheRegistryNotByTheHopBefore) {
  const auto target =
      redirect_target("https://r.example", "https://cdn.example/x", "https://10.0.0.1/y");
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code, Code::Denied);
  const auto back =
      redirect_target("https://r.example", "https://cdn.example/x", "https://r.example/y");
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->keeps_authorization);
}

TEST(Redirect, KnowsItsStatuses) {
  for (const int status : {301, 302, 303, 307, 308}) EXPECT_TRUE(is_redirect(status));
  for (const int status : {200, 300, 304, 305, 306, 401}) EXPECT_FALSE(is_redirect(status));
}

}  // namespace
}  // namespace fairlead::upstream
