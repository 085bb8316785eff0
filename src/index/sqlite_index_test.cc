// SPDX-License-Identifier: Apache-2.0
#include "index/sqlite_index.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "index/sqlite_index_fixture.h"

namespace fairlead::testing {

struct SqliteIndexFactory {
  TemporaryDirectory directory;
  std::unique_ptr<index::Index> make() {
    return index::SqliteIndex::open(directory / "index.db").value();
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, IndexConformance, SqliteIndexFactory);

}  // namespace fairlead::testing

namespace fairlead::index {
namespace {

using SqliteIndexTest = SqliteIndexFixture;

TEST_F(SqliteIndexTest, EveryFactOutlivesClosing) {
  add_facts(*open());
  for (int round = 0; round < 2; ++round) {
    const auto index = open();
    expect_facts(*index);
    EXPECT_EQ(index->totals().contents, 2u);
    EXPECT_EQ(index->totals().bytes, 1500u);
    EXPECT_FALSE(index->was_rebuilt());
    EXPECT_EQ(index->skipped_rows(), 0u);
  }
}

TEST_F(SqliteIndexTest, WhatWasRemovedStaysRemoved) {
  const auto manifest = digest_of_text("manifest0");
  {
    const auto index = open();
    add_facts(*index);
    ASSERT_TRUE(index->flush());
    index->remove_stored(manifest);
    index->remove_tag({"reg", "team/app0", "latest", ""});
  }
  const auto index = open();
  EXPECT_FALSE(index->content(manifest));
  EXPECT_FALSE(index->has_link("reg", "team/app0", manifest));
  EXPECT_FALSE(index->tag({"reg", "team/app0", "latest", ""}));
  EXPECT_TRUE(index->tag({"reg", "team/app0", "latest", "application/x"}));
  EXPECT_EQ(index->seen("reg", "team/app0", manifest), at(3));
  EXPECT_EQ(index->totals().contents, 1u);
}

TEST_F(SqliteIndexTest, ATagThatWasRemovedInAllItsVariantsStaysRemoved) {
  {
    const auto index = open();
    for (const int n : {0, 1, 2}) add_facts(*index, n);
    ASSERT_TRUE(index->flush());
    index->remove_tags("reg", "team/app0", "latest");
    EXPECT_EQ(index->remove_tags_of("reg", "team/app1", digest_of_text("manifest1")),
              std::vector<std::string>{"latest"});
  }
  const auto index = open();
  EXPECT_TRUE(index->variants("reg", "team/app0", "latest").empty());
  EXPECT_TRUE(index->variants("reg", "team/app1", "latest").empty());
  EXPECT_EQ(index->variants("reg", "team/app2", "latest").size(), 2u);
}

// The row of a link is to be gone even where the content came back before it was written.
TEST_F(SqliteIndexTest, ALinkThatWentWithItsContentDoesNotComeBackWithIt) {
  const auto digest = digest_of_text("content");
  {
    const auto index = open();
    index->add_stored(digest, "", 1, {}, at(0));
    index->add_link("reg", "team/secret", digest);
    index->add_link("reg", "team/app", digest);
    ASSERT_TRUE(index->flush());
    index->remove_stored(digest);
    index->add_stored(digest, "", 1, {}, at(1));
    index->add_link("reg", "team/app", digest);
  }
  const auto index = open();
  EXPECT_FALSE(index->has_link("reg", "team/secret", digest));
  EXPECT_TRUE(index->has_link("reg", "team/app", digest));
}

TEST_F(SqliteIndexTest, UsesOutliveClosing) {
  const auto digest = digest_of_text("content");
  {
    const auto index = open({.journal = {.use_interval = std::chrono::hours(1)}});
    index->add_stored(digest, "", 1, {}, at(0));
    ASSERT_TRUE(index->flush());
    index->touch(digest, at(100));
  }
  EXPECT_EQ(open()->content(digest)->last_use, at(100));
}

TEST_F(SqliteIndexTest, NewLinksAreToldFromOldRepositoriesAfterReopening) {
  for (int i = 0; i < 3; ++i) {
    open()->add_link("reg", "team/" + std::to_string(i), digest_of_text(std::to_string(i)));
  }
  const auto index = open();
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      const auto digest = digest_of_text(std::to_string(j));
      EXPECT_EQ(index->has_link("reg", "team/" + std::to_string(i), digest), i == j);
    }
  }
}

TEST_F(SqliteIndexTest, TheOldestDocumentsGo) {
  auto put = [minutes = 0](Index& index, const std::string& name) mutable {
    const auto checked = at(60 * minutes++);
    index.put_document({"reg", "team/app", name}, {.body = name, .checked = checked});
    ASSERT_TRUE(index.flush());
  };
  const auto index = open({.documents = {.count = 3, .bytes = 1000}, .most_document_bytes = 100});
  for (const char* name : {"a", "b", "c", "a", "d"}) put(*index, name);
  EXPECT_TRUE(index->document({"reg", "team/app", "a"})) << "was written again";
  EXPECT_FALSE(index->document({"reg", "team/app", "b"}));
  EXPECT_TRUE(index->document({"reg", "team/app", "c"}));
  EXPECT_TRUE(index->document({"reg", "team/app", "d"}));
  put(*index, std::string(101, 'x'));
  EXPECT_FALSE(index->document({"reg", "team/app", std::string(101, 'x')})) << "too large";
}

TEST_F(SqliteIndexTest, AllDocumentsTogetherAreBoundedInBytes) {
  const SqliteIndexOptions options{.documents = {.count = 100, .bytes = 250}};
  const auto kept = [](const Index& index) {
    std::string kept;
    for (const char* name : {"a", "b", "c", "d"}) {
      if (index.document({"reg", "team/app", name})) kept += name;
    }
    return kept;
  };
  const auto put = [](Index& index, const char* name, std::size_t size) {
    index.put_document({"reg", "team/app", name},
                       {.body = std::string(size, *name), .checked = at(0)});
    ASSERT_TRUE(index.flush());
  };
  {
    const auto index = open(options);
    for (const char* name : {"a", "b", "c"}) put(*index, name, 100);
    EXPECT_EQ(kept(*index), "bc");
  }
  const auto index = open(options);
  put(*index, "b", 50);
  put(*index, "d", 100);
  EXPECT_EQ(kept(*index), "bcd") << "the one that became smaller counts as it is";
  put(*index, "a", 60);
  EXPECT_EQ(kept(*index), "abd");
}

TEST_F(SqliteIndexTest, AnUnchangedDocumentIsNotWrittenTwiceAMinute) {
  const DocumentKey key{"reg", "team/app", "tags"};
  const auto put = [&](Index& index, const std::string& body, int seconds) {
    index.put_document(key, {.body = body, .checked = at(seconds)});
    EXPECT_TRUE(index.flush());
    return index.document(key)->checked;
  };
  const auto index = open();
  EXPECT_EQ(put(*index, "body", 0), at(0));
  EXPECT_EQ(put(*index, "body", 30), at(0));
  EXPECT_EQ(put(*index, "body", 59), at(0));
  EXPECT_EQ(put(*index, "body", 60), at(60)) << "never more than a minute too early";
  EXPECT_EQ(put(*index, "other", 61), at(61));
  EXPECT_EQ(put(*index, "other", 50), at(50)) << "the clock was set back";
}

TEST_F(SqliteIndexTest, ManyThreadsThenTheFileHoldsWhatTheMirrorHeld) {
  std::map<std::string, std::optional<WallTime>> expected;
  std::uint64_t bytes = 0;
  {
    const auto index = open({.journal = {.use_interval = std::chrono::milliseconds(1)}});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const std::string name = std::to_string(t);
        const DocumentKey document{"reg", "team/app", name};
        for (int i = 0; i < 150; ++i) {
          const auto digest = digest_of_text(std::to_string((i * 7 + t) % 100));
          index->add_stored(digest, "", 10, {}, at(i));
          index->add_link("reg", "team/" + std::to_string(t), digest);
          index->touch(digest, at(i + t * 1000));
          if (i % 5 == 0) index->remove_stored(digest);
          index->put_tag(
              {"reg", "team/app", std::to_string(i % 20), ""},
              {.digest = digest, .media_type = "m", .size = {}, .etag = "", .checked = at(i)});
          index->put_document(document, {.body = std::to_string(i), .checked = at(i)});
          ASSERT_TRUE(index->document(document));
          EXPECT_EQ(index->document(document)->body, std::to_string(i));
          if (i % 50 == 0) EXPECT_TRUE(index->flush());
        }
      });
    }
    for (auto& thread : threads) thread.join();
    bytes = index->totals().bytes;
    for (int i = 0; i < 100; ++i) {
      const auto info = index->content(digest_of_text(std::to_string(i)));
      expected[std::to_string(i)] = info ? std::optional(info->last_use) : std::nullopt;
    }
  }
  const auto index = open();
  EXPECT_EQ(index->totals().bytes, bytes);
  for (const auto& [text, last_use] : expected) {
    const auto info = index->content(digest_of_text(text));
    ASSERT_EQ(info.has_value(), last_use.has_value()) << text;
    if (info) EXPECT_EQ(info->last_use, *last_use) << text;
  }
  for (int t = 0; t < 4; ++t) {
    EXPECT_EQ(index->document({"reg", "team/app", std::to_string(t)})->body, "149");
  }
}

// --- for reading only ---

TEST_F(SqliteIndexTest, IsReadWhileAnotherWrites) {
  const auto writer = open();
  add_facts(*writer, 1);
  ASSERT_TRUE(writer->flush());
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_TRUE(reader) << reader.error().context;
  expect_facts(**reader, 1);
  add_facts(*writer, 2);
  ASSERT_TRUE(writer->flush());
  expect_facts(**reader, 1);
  EXPECT_FALSE((*reader)->has_link("reg", "team/app2", digest_of_text("manifest2")));
  expect_facts(**SqliteIndex::open_read_only(path_), 2);
}

TEST_F(SqliteIndexTest, IsReadWhenNobodyHasItOpen) {
  add_facts(*open());
  ASSERT_FALSE(std::filesystem::exists(path_ + "-wal"));
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_TRUE(reader) << reader.error().context;
  expect_facts(**reader);
  (*reader)->remove_stored(digest_of_text("manifest0"));
  (*reader)->put_document({"reg", "team/app0", "tags"}, {.body = "no", .checked = at(0)});
  EXPECT_TRUE((*reader)->flush());
  expect_facts(*open());
}

// Where this user can make no file: rights do not stop root, so another user reads.
TEST_F(SqliteIndexTest, IsReadInADirectoryThatMayOnlyBeRead) {
  add_facts(*open());
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0555), 0);
  constexpr uid_t kNobody = 65534;
  const bool is_root = ::geteuid() == 0;
  if (is_root) ASSERT_EQ(::seteuid(kNobody), 0);
  const auto reader = SqliteIndex::open_read_only(path_);
  if (is_root) ASSERT_EQ(::seteuid(0), 0);
  ::chmod(directory_.path().c_str(), 0755);
  ASSERT_TRUE(reader) << reader.error().context;
  expect_facts(**reader);
}

TEST_F(SqliteIndexTest, NoFileCannotBeReadAndIsNotMade) {
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::NotFound);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace fairlead::index
