// SPDX-License-Identifier: Apache-2.0
// SqliteIndexFixture: an index.db in a directory of its own, and one of every kind of fact.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "index/sqlite_index.h"
#include "testing/index_conformance.h"
#include "testing/temporary_directory.h"

namespace fairlead::index {

using fairlead::testing::at;
using fairlead::testing::digest_of_text;

class SqliteIndexFixture : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteIndex> open(SqliteIndexOptions options = {}) {
    auto opened = SqliteIndex::open(path_, std::move(options));
    if (opened) return *std::move(opened);
    ADD_FAILURE() << opened.error().context;
    return nullptr;
  }

  // `n` tells one lot of facts from another.
  static void add_facts(Index& index, int n = 0) {
    const Facts facts(n);
    index.add_link("reg", facts.repository, facts.manifest);
    index.add_link("other", facts.repository, facts.manifest);
    index.add_link("reg", facts.repository, facts.linked_only);
    index.describe(facts.described, "application/json", 77);
    index.add_stored(facts.layer, "", 1000, {}, at(n));
    index.add_stored(facts.manifest, "application/m", 500, {facts.layer, facts.described}, at(n));
    index.touch(facts.layer, at(n + 50));
    index.put_tag({"reg", facts.repository, "latest", ""}, {.digest = facts.manifest,
                                                            .media_type = "application/m",
                                                            .size = 500,
                                                            .etag = "\"e\"",
                                                            .checked = at(n + 1)});
    index.put_tag({"reg", facts.repository, "latest", "application/x"},
                  {.digest = facts.layer,
                   .media_type = "",
                   .size = {},
                   .etag = "",
                   .checked = at(n + 2) + std::chrono::microseconds(123456)});
    index.first_seen("reg", facts.repository, facts.manifest, at(n + 3));
    index.put_document({"reg", facts.repository, "tags"},
                       {.body = std::string("a\0b", 3) + facts.repository, .checked = at(n + 4)});
  }

  static void expect_facts(const Index& index, int n = 0, bool has_document = true) {
    const Facts facts(n);
    EXPECT_TRUE(index.has_link("reg", facts.repository, facts.manifest));
    EXPECT_TRUE(index.has_link("other", facts.repository, facts.manifest));
    EXPECT_TRUE(index.has_link("reg", facts.repository, facts.linked_only));
    EXPECT_FALSE(index.has_link("other", facts.repository, facts.linked_only));
    EXPECT_FALSE(index.content(facts.linked_only));
    const auto described = index.content(facts.described);
    ASSERT_TRUE(described);
    EXPECT_FALSE(described->is_stored);
    EXPECT_EQ(described->media_type, "application/json");
    EXPECT_EQ(described->size, 77u);
    const auto manifest = index.content(facts.manifest);
    ASSERT_TRUE(manifest && manifest->is_stored);
    EXPECT_EQ(manifest->media_type, "application/m");
    EXPECT_EQ(manifest->size, 500u);
    EXPECT_EQ(manifest->created, at(n));
    EXPECT_EQ(manifest->names, (std::vector{facts.layer, facts.described}));
    const auto layer = index.content(facts.layer);
    ASSERT_TRUE(layer && layer->is_stored);
    EXPECT_EQ(layer->last_use, at(n + 50));
    const auto tag = index.tag({"reg", facts.repository, "latest", ""});
    ASSERT_TRUE(tag);
    EXPECT_EQ(tag->digest, facts.manifest);
    EXPECT_EQ(tag->media_type, "application/m");
    EXPECT_EQ(tag->size, 500u);
    EXPECT_EQ(tag->etag, "\"e\"");
    EXPECT_EQ(tag->checked, at(n + 1));
    const auto variant = index.tag({"reg", facts.repository, "latest", "application/x"});
    ASSERT_TRUE(variant);
    EXPECT_FALSE(variant->size);
    EXPECT_EQ(variant->checked, at(n + 2) + std::chrono::microseconds(123456));
    EXPECT_EQ(index.seen("reg", facts.repository, facts.manifest), at(n + 3));
    const auto document = index.document({"reg", facts.repository, "tags"});
    ASSERT_EQ(document.has_value(), has_document);
    if (!document) return;
    EXPECT_EQ(document->body, std::string("a\0b", 3) + facts.repository);
    EXPECT_EQ(document->checked, at(n + 4));
  }

  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  fairlead::testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "index.db";

 private:
  struct Facts {
    explicit Facts(int n) : suffix(std::to_string(n)) {}
    std::string suffix;
    std::string repository = "team/app" + suffix;
    oci::Digest manifest = digest_of_text("manifest" + suffix);
    oci::Digest layer = digest_of_text("layer" + suffix);
    oci::Digest described = digest_of_text("described" + suffix);
    oci::Digest linked_only = digest_of_text("linked only" + suffix);
  };
};

}  // namespace fairlead::index
