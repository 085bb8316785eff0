// SPDX-License-Identifier: Apache-2.0
#include "oci/name.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::oci {
namespace {

TEST(RepositoryName, FollowsTheGrammar) {
  for (const std::string_view name :
       {"a", "0", "alpine", "library/alpine", "a/b/c/d/e/f/g", "a.b", "a_b", "a__b", "a-b", "a--b",
        "a-----b", "a.b_c__d-e", "docker.io/library/alpine", "manifests", "blobs/uploads", "v2/x",
        "tags/list", "0ebb01be-0a22-4639-898c-bc8c2d20942d/nginx"}) {
    EXPECT_TRUE(is_repository_name(name)) << name;
  }
  for (const std::string_view name : {"",     "/",      "a/",    "/a",   "a//b",
                                      "A",    "aB",     ".a",    "a.",   "_a",
                                      "a_",   "-a",     "a-",    "a..b", "a___b",
                                      "a._b", "a.-b",   "a-_b",  "a_-b", ".",
                                      "..",   "a/../b", "a/./b", "a:b",  "localhost:5000/a",
                                      "a b",  "a%2fb",  "a\\b",  "a\tb", "_catalog",
                                      "a/-b", "a/b-",   "a+b",   "a@b",  "caf\xc3\xa9"}) {
    EXPECT_FALSE(is_repository_name(name)) << name;
  }
  EXPECT_FALSE(is_repository_name(std::string_view("a\0b", 3)));
}

TEST(RepositoryName, IsAtMost255Long) {
  EXPECT_TRUE(is_repository_name(std::string(255, 'a')));
  EXPECT_FALSE(is_repository_name(std::string(256, 'a')));
  EXPECT_TRUE(is_repository_name(std::string(127, 'a') + "/" + std::string(127, 'a')));
  EXPECT_FALSE(is_repository_name(std::string(10'000'000, '-')));
}

TEST(Tag, FollowsTheGrammar) {
  for (const std::string_view tag : {"latest", "1", "_", "_x", "3.19", "V1", "a-b.c_D", "a..b",
                                     "a-", "sha256-abc.sig", "list", "uploads"}) {
    EXPECT_TRUE(is_tag(tag)) << tag;
  }
  for (const std::string_view tag :
       {"", ".", "-", ".a", "-a", "a/b", "a:b", "a b", "a%41", "a+b", "caf\xc3\xa9", "a\n"}) {
    EXPECT_FALSE(is_tag(tag)) << tag;
  }
  EXPECT_TRUE(is_tag(std::string(128, 'a')));
  EXPECT_FALSE(is_tag(std::string(129, 'a')));
}

}  // namespace
}  // namespace fairlead::oci
