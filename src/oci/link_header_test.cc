// SPDX-License-Identifier: Apache-2.0
#include "oci/link_header.h"

#include <gtest/gtest.h>

namespace fairlead::oci {
namespace {

TEST(LinkHeader, FindsTheNextPage) {
  const struct {
    std::string_view header;
    std::string_view target;
  } cases[] = {
      {R"(</v2/a/tags/list?n=1&last=b>; rel="next")", "/v2/a/tags/list?n=1&last=b"},
      {R"(<https://r.example/v2/a/tags/list?last=b>;rel=next)",
       "https://r.example/v2/a/tags/list?last=b"},
      {R"(<?last=b>; rel="next")", "?last=b"},
      {R"(<a,b;c>; rel="next")", "a,b;c"},
      {R"(  <x>  ;  REL = "NEXT"  )", "x"},
      {R"(<x>; rel="prev", <y>; rel="next", <z>; rel="next")", "y"},
      {R"(, , <x>; rel="prev" , , <y>; rel=next)", "y"},
      {R"(<x>; rel="last next")", "x"},
      {R"(<x>; title="a, b; rel=\"prev\" <q>"; rel="next")", "x"},
      {R"(<x>; crossorigin; rel="next")", "x"},
      {R"(<x>;; rel="next";)", "x"},
      {R"(<x>; rel="ne\xt")", "x"},
      {R"(<x>, <y>; rel="next")", "y"},
      {R"(<>; rel="next")", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(next_link(c.header), c.target) << c.header;
}

TEST(LinkHeader, WithoutANextPage) {
  for (const std::string_view header : {"",
                                        " ",
                                        "<x>",
                                        "x; rel=next",
                                        "<x",
                                        "<x; rel=next",
                                        "<x>; rel=\"next",
                                        "<x>; rel=\"nex\\",
                                        "<x>; rel=prev",
                                        "<x>; rel=nextpage",
                                        "<x>; rel=\"next-page\"",
                                        "<x>; rel=\"\"",
                                        "<x>; rel=",
                                        "<x>; rel",
                                        "<x>; rel=prev; rel=next",
                                        "<x>; rev=next",
                                        "<x> rel=next",
                                        "<x>; title=\"rel=next\"",
                                        "rel=next; <x>",
                                        "<x>; rel=prev <y>; rel=next",
                                        ",,,,"}) {
    EXPECT_EQ(next_link(header), std::nullopt) << header;
  }
}

TEST(LinkHeader, HugeOnesEnd) {
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "<x>; rel=prev; a=\"b\\\"\", ";
  EXPECT_EQ(next_link(many), std::nullopt);
  EXPECT_EQ(next_link(many + "<y>; rel=next"), "y");
  EXPECT_EQ(next_link("<x>" + std::string(1'000'000, ';')), std::nullopt);
}

TEST(LinkQuery, IsTheQueryAsWritten) {
  EXPECT_EQ(link_query("/v2/x/tags/list?n=1&last=b"), "n=1&last=b");
  EXPECT_EQ(link_query("https://r.example/v2/x/tags/list?last=a%2Fb&opaque=x?y="),
            "last=a%2Fb&opaque=x?y=");
  EXPECT_EQ(link_query("/v2/x/tags/list"), "");
  EXPECT_EQ(link_query("/v2/x/tags/list?"), "");
  EXPECT_EQ(link_query("/v2/x?last=b#part"), "last=b");
  EXPECT_EQ(link_query("/v2/x#part?last=b"), "");
  EXPECT_EQ(link_query(""), "");
}

TEST(LinkQuery, IsSafeInAHeader) {
  EXPECT_EQ(link_query("?a=\r\nSet-Cookie: x"), "a=%0D%0ASet-Cookie:%20x");
  EXPECT_EQ(link_query("?a=<b>\"c\""), "a=%3Cb%3E%22c%22");
  EXPECT_EQ(link_query("?a=\xc3\xa9\x7f"), "a=%C3%A9%7F");
}

// The attack: an upstream whose next page is another registry's.
TEST(LinkQuery, HasNoNamespace) {
  EXPECT_EQ(link_query("/v2/x/tags/list?ns=evil.example&n=1&last=b"), "n=1&last=b");
  EXPECT_EQ(link_query("?n=1&n%73=evil.example&last=b&ns"), "n=1&last=b");
  EXPECT_EQ(link_query("?ns=evil.example"), "");
  EXPECT_EQ(link_query("?ns2=a&xns=b"), "ns2=a&xns=b");
}

// Which repository it names, and whether it is absolute, makes no difference: it is asked for
// under the client's name.
TEST(LinkQuery, IsAllThatIsTakenOfATarget) {
  for (const char* target :
       {"?n=1&last=b", "list?n=1&last=b", "//other.example/v2/y/tags/list?n=1&last=b",
        "https://other.example/v2/secret/tags/list?n=1&last=b", "/v2/../token?n=1&last=b"}) {
    EXPECT_EQ(link_query(target), "n=1&last=b") << target;
  }
}

}  // namespace
}  // namespace fairlead::oci
