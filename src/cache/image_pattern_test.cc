// SPDX-License-Identifier: Apache-2.0
#include "cache/image_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::cache {
namespace {

using ::testing::HasSubstr;

bool matches(std::string_view pattern, std::string_view registry, std::string_view repository,
             std::string_view tag) {
  const auto parsed = ImagePattern::parse(pattern);
  EXPECT_TRUE(parsed) << pattern << ": " << (parsed ? "" : parsed.error());
  return parsed && parsed->matches_repository(registry, repository) && parsed->matches_tag(tag);
}

TEST(ImagePattern, Matches) {
  EXPECT_TRUE(matches("docker.io/library/alpine:3.*", "docker.io", "library/alpine", "3.20"));
  EXPECT_FALSE(matches("docker.io/library/alpine:3.*", "docker.io", "library/alpine", "edge"));
  EXPECT_FALSE(matches("docker.io/library/alpine:3.*", "ghcr.io", "library/alpine", "3.20"));
  EXPECT_FALSE(matches("docker.io/library/alpine", "docker.io", "library/alpine-x", "3.20"));
  EXPECT_TRUE(matches("ghcr.io/team/**", "ghcr.io", "team/a/b", "any"));
  EXPECT_FALSE(matches("ghcr.io/team/*", "ghcr.io", "team/a/b", "any"));
  EXPECT_TRUE(matches("*/library/*", "docker.io", "library/alpine", "any"));
  EXPECT_TRUE(matches("**", "docker.io", "library/alpine", "any"));
  EXPECT_TRUE(matches("**:latest", "docker.io", "library/alpine", "latest"));
  EXPECT_FALSE(matches("**:latest", "docker.io", "library/alpine", "edge"));
  EXPECT_TRUE(matches("Corp:5000/app:v*", "Corp:5000", "app", "v1"));
  EXPECT_TRUE(matches("corp:5000/app", "corp:5000", "app", "v1"));
}

TEST(ImagePattern, SaysWhatIsWrongAndWhatToWrite) {
  const auto error = [](std::string_view text) {
    const auto parsed = ImagePattern::parse(text);
    EXPECT_FALSE(parsed) << text;
    return parsed ? std::string() : parsed.error();
  };
  for (const auto* text : {"", "alpine", "alpine:3.*", "*"}) {
    EXPECT_THAT(error(text), HasSubstr("docker.io/library/alpine:3.*")) << text;
  }
  EXPECT_THAT(error("docker.io"), HasSubstr("write docker.io/**,"));
  for (const auto* text : {"docker.io/", "/alpine", "docker.io/Alpine", "docker.io/a//b"}) {
    EXPECT_THAT(error(text), HasSubstr("lower-case")) << text;
  }
  for (const auto* text : {"docker.io/alpine:", "docker.io/alpine:a:b", "docker.io/alpine:[34]"}) {
    EXPECT_THAT(error(text), HasSubstr("a tag that no repository can have")) << text;
  }
  EXPECT_THAT(error("docker.io/alpine@sha256:00"), HasSubstr("digest"));
}

}  // namespace
}  // namespace fairlead::cache
