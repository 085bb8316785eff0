// SPDX-License-Identifier: Apache-2.0
#include "oci/glob.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace fairlead::oci {
namespace {

struct Case {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

TEST(Glob, MatchesWholeTexts) {
  const Case cases[] = {
      {"alpine", "alpine", true},
      {"alpine", "alpin", false},
      {"alpine", "alpine3", false},
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything", true},
      {"*", "two/parts", false},
      {"**", "two/parts", true},
      {"**", "", true},
      {"library/*", "library/alpine", true},
      {"library/*", "library/", true},
      {"library/*", "library/a/b", false},
      {"library/*", "library", false},
      {"team/**", "team/a/b/c", true},
      {"team/**", "team", false},
      {"team/**", "teams/a", false},
      {"**/web", "a/b/web", true},
      {"**/web", "web", false},
      {"a/*/c", "a/b/c", true},
      {"a/*/c", "a/b/b/c", false},
      {"a/**/c", "a/b/b/c", true},
      {"a/**/c", "a/c", false},
      {"*a*b*c*", "xxaxxbxxcxx", true},
      {"*a*b*c*", "xxaxxcxxbxx", false},
      {"3.*", "3.20", true},
      {"3.*", "3", false},
      {"3.*", "320", false},
      {"*-alpine", "1.27-alpine", true},
      {"*-alpine", "1.27-alpine-slim", false},
      {"***", "a/b", true},
      {"**a**", "b/a/b", true},
      {"*b", "ab", true},
      {"*b", "aab/b", false},
  };
  for (const auto& [pattern, text, matches] : cases) {
    EXPECT_EQ(matches_glob(pattern, text), matches) << pattern << " and " << text;
  }
}

TEST(Glob, OverlapMeansThatSomeTextMatchesBoth) {
  struct Pair {
    std::string_view a;
    std::string_view b;
    bool overlap;
  };
  const Pair pairs[] = {
      {"team/**", "team/app", true},
      {"team/**", "team/*", true},
      {"team/**", "corp/team/*", false},
      {"team/**", "team", false},
      {"team/**", "*/secret-*", true},
      {"team/**", "**", true},
      {"**", "a/b/c", true},
      {"*", "a/b", false},
      {"a*/x", "*b/x", true},
      {"a*/x", "b*/x", false},
      {"*/*", "**/b", true},
      {"*/*", "a/b/**", false},
      {"**/**", "alpine", false},
      {"**/**", "library/*", true},
      {"", "*", true},
      {"", "a", false},
      {"alpine", "alpine", true},
      {"alpine", "alpine3", false},
  };
  for (const auto& [a, b, overlap] : pairs) {
    EXPECT_EQ(globs_overlap(a, b), overlap) << a << " and " << b;
    EXPECT_EQ(globs_overlap(b, a), overlap) << b << " and " << a;
  }
}

// The attack on matchers that go back: time grows with a power of the length.
TEST(Glob, APatternOfManyStarsTakesNoLonger) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a**a";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(2000, 'a')));
  EXPECT_TRUE(matches_glob(pattern, std::string(2000, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Glob, KnowsWhatCanMatchNoName) {
  for (const auto* good : {"alpine", "library/*", "**", "a/**/c", "a.b-c_d/*"}) {
    EXPECT_TRUE(is_repository_glob(good)) << good;
  }
  for (const auto* bad : {"", "/a", "a/", "a//b", "Alpine", "a:b", "a?", "[ab]", "a b", "a@b"}) {
    EXPECT_FALSE(is_repository_glob(bad)) << bad;
  }
  for (const auto* good : {"latest", "3.*", "V1_*-x", "*"}) EXPECT_TRUE(is_tag_glob(good)) << good;
  for (const auto* bad : {"", "a/b", "a:b", "a?"}) EXPECT_FALSE(is_tag_glob(bad)) << bad;
}

}  // namespace
}  // namespace fairlead::oci
