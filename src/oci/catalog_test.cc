// SPDX-License-Identifier: Apache-2.0
#include "oci/catalog.h"

#include <gtest/gtest.h>

namespace fairlead::oci {
namespace {

using Names = std::vector<std::string>;

TEST(Catalog, ReadsAndWrites) {
  EXPECT_EQ(parse_catalog(R"({"repositories":["b/c","a"]})"), (Names{"b/c", "a"}));
  EXPECT_EQ(parse_catalog(R"({"repositories":[]})"), Names{});
  EXPECT_EQ(parse_catalog(R"({"repositories":null})"), Names{});
  EXPECT_EQ(write_catalog({"a", "b/c"}), R"({"repositories":["a","b/c"]})");
  EXPECT_EQ(write_catalog({}), R"({"repositories":[]})");
}

TEST(Catalog, InvalidNamesAreLeftOut) {
  EXPECT_EQ(parse_catalog(R"({"repositories":["a","A","../b","","a//b","c\\d","_catalog"]})"),
            Names{"a"});
}

TEST(Catalog, WhatIsNoneIsNone) {
  for (const char* bad : {"", "[]", "{}", "<html>", R"({"repositories":{}})",
                          R"({"repositories":[1]})", R"({"repositories":["a"]} x)"}) {
    EXPECT_FALSE(parse_catalog(bad)) << bad;
  }
}

}  // namespace
}  // namespace fairlead::oci
