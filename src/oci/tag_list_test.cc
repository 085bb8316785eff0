// SPDX-License-Identifier: Apache-2.0
#include "oci/tag_list.h"

#include <gtest/gtest.h>

namespace fairlead::oci {
namespace {

using Tags = std::vector<std::string>;

TEST(TagList, ReadsAndWrites) {
  EXPECT_EQ(parse_tag_list(R"({"name":"x","tags":["b","a","not a tag"]})"), (Tags{"b", "a"}));
  EXPECT_EQ(parse_tag_list(R"({"name":"x","tags":null})"), Tags{});
  EXPECT_EQ(parse_tag_list(R"({"name":"x"})"), Tags{});
  for (const char* bad : {"", "[]", "<html>", R"({"tags":{}})", R"({"tags":[1]})"}) {
    EXPECT_FALSE(parse_tag_list(bad)) << bad;
  }
  EXPECT_EQ(write_tag_list("team/app", {"a", "b"}), R"({"name":"team/app","tags":["a","b"]})");
}

TEST(TagQuery, IsNAndLast) {
  const auto query = TagQuery::parse("n=5&last=a%2B");
  EXPECT_EQ(query.n, 5U);
  EXPECT_EQ(query.last, "a+");
  EXPECT_TRUE(query.is_understood);
  EXPECT_TRUE(TagQuery::parse("").is_understood);
  for (const char* other : {"n=x", "n=", "filter=b", "n=-1", "last=%zz"}) {
    EXPECT_FALSE(TagQuery::parse(other).is_understood) << other;
  }
}

TEST(TagList, PagesPutTogetherAreTheList) {
  Tags known;
  known = merge_tags(known, {.n = 2}, {.tags = {"a", "b"}, .has_more = true});
  known = merge_tags(known, {.n = 2, .last = "b"}, {.tags = {"c", "d"}, .has_more = true});
  known = merge_tags(known, {.n = 2, .last = "d"}, {.tags = {"e"}, .has_more = false});
  EXPECT_EQ(known, (Tags{"a", "b", "c", "d", "e"}));
}

TEST(TagList, APageTellsWhatIsGoneBetweenItsEnds) {
  const Tags known{"a", "b", "c", "d", "e"};
  EXPECT_EQ(merge_tags(known, {.n = 2, .last = "a"}, {.tags = {"b", "d"}, .has_more = true}),
            (Tags{"a", "b", "d", "e"}));
  EXPECT_EQ(merge_tags(known, {.n = 2, .last = "b"}, {.tags = {"c"}, .has_more = false}),
            (Tags{"a", "b", "c"}));
  EXPECT_EQ(merge_tags(known, {}, {.tags = {"x"}, .has_more = false}), (Tags{"x"}));
  EXPECT_EQ(merge_tags(known, {.last = "c"}, {}), (Tags{"a", "b", "c"}));
}

TEST(TagList, WhatIsNotInOrderOnlyAdds) {
  const Tags known{"b", "c"};
  EXPECT_EQ(merge_tags(known, {}, {.tags = {"z", "a"}}), (Tags{"a", "b", "c", "z"}));
  EXPECT_EQ(merge_tags(known, {.n = 0}, {}), known) << "n=0 asks for nothing";
  EXPECT_EQ(merge_tags(known, {.last = "x"}, {.tags = {"a"}}), (Tags{"a", "b", "c"}))
      << "an upstream that ignores `last`";
}

TEST(TagList, IsPagedAsAsked) {
  const Tags known{"a", "b", "c"};
  EXPECT_EQ(page_of(known, {}).tags, known);
  EXPECT_FALSE(page_of(known, {}).has_more);
  EXPECT_EQ(page_of(known, {.n = 2}).tags, (Tags{"a", "b"}));
  EXPECT_TRUE(page_of(known, {.n = 2}).has_more);
  EXPECT_EQ(page_of(known, {.n = 2, .last = "b"}).tags, (Tags{"c"}));
  EXPECT_FALSE(page_of(known, {.n = 2, .last = "b"}).has_more);
  EXPECT_EQ(page_of(known, {.n = 0}).tags, Tags{});
  EXPECT_FALSE(page_of(known, {.n = 0}).has_more);
  EXPECT_EQ(page_of(known, {.last = "zz"}).tags, Tags{});
  EXPECT_EQ(page_of(known, {.last = "aa"}).tags, (Tags{"b", "c"}));
}

TEST(TagList, IsWholeOnlyWhereItIsCertain) {
  const TagPage page{.tags = {"a", "b", "c"}};
  EXPECT_TRUE(is_whole_list({}, page));
  EXPECT_TRUE(is_whole_list({}, {}));
  EXPECT_TRUE(is_whole_list({.n = 4}, page));
  EXPECT_FALSE(is_whole_list({.n = 3}, page)) << "a registry may cut without a Link";
  EXPECT_FALSE(is_whole_list({.n = 0}, {}));
  EXPECT_FALSE(is_whole_list({.last = "0"}, page));
  EXPECT_FALSE(is_whole_list({.is_understood = false}, page));
  EXPECT_FALSE(is_whole_list({}, {.tags = {"a"}, .has_more = true}));
  EXPECT_FALSE(is_whole_list({}, {.tags = {"b", "a"}})) << "its pages would be cut otherwise";
}

TEST(TagList, FollowsPushesAndDeletions) {
  EXPECT_EQ(with_tag({"a", "c"}, "b"), (Tags{"a", "b", "c"}));
  EXPECT_EQ(with_tag({"a", "c"}, "c"), (Tags{"a", "c"}));
  EXPECT_EQ(with_tag({}, "z"), (Tags{"z"}));
  EXPECT_EQ(without_tag({"a", "b", "c"}, "b"), (Tags{"a", "c"}));
  EXPECT_EQ(without_tag({"a"}, "b"), (Tags{"a"}));
}

}  // namespace
}  // namespace fairlead::oci
