// SPDX-License-Identifier: Apache-2.0
#include "gateway/mapped_name.h"

#include <gtest/gtest.h>

namespace fairlead::gateway {
namespace {

TEST(MappedName, OnlyWholeNamesAreReplaced) {
  const struct {
    const char* text;
    const char* renamed;
  } cases[] = {
      {"library/alpine", "hub/alpine"},
      {"library/alpine is unknown", "hub/alpine is unknown"},
      {"repository \"library/alpine\": gone", "repository \"hub/alpine\": gone"},
      {"no library/alpine:3.20 and no library/alpine@sha256:0",
       "no hub/alpine:3.20 and no hub/alpine@sha256:0"},
      {"it ends in library/alpine.", "it ends in hub/alpine."},
      {"library/alpine. Then more", "hub/alpine. Then more"},
      {"(library/alpine)", "(hub/alpine)"},
      // Other names that hold this one.
      {"library/alpine-git", "library/alpine-git"},
      {"library/alpine/sub", "library/alpine/sub"},
      {"library/alpine.d", "library/alpine.d"},
      {"library/alpine_2", "library/alpine_2"},
      {"mylibrary/alpine", "mylibrary/alpine"},
      {"team/library/alpine", "team/library/alpine"},
      {"nothing of the kind", "nothing of the kind"},
      {"", ""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(rename_in_text(c.text, "library/alpine", "hub/alpine"), c.renamed);
  }
}

TEST(MappedName, AReplacementIsNotReplacedAgain) {
  EXPECT_EQ(rename_in_text("app app", "app", "x app"), "x app x app");
}

TEST(MappedName, AnEmptyNameIsNowhere) { EXPECT_EQ(rename_in_text("text", "", "x"), "text"); }

}  // namespace
}  // namespace fairlead::gateway
