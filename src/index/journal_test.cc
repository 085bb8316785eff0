// SPDX-License-Identifier: Apache-2.0
#include "index/journal.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "testing/index_conformance.h"

namespace fairlead::index {
namespace {

using fairlead::testing::at;
using fairlead::testing::digest_of_text;
using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

// A disk that keeps what it is given, may be made to fail, and may be made to wait.
class FakeDisk {
 public:
  Journal::Write writer() {
    return [this](const Changes& changes) -> Result<void> {
      const std::lock_guard lock(mutex_);
      if (is_broken_) return internal_error(Code::NoSpace, "disk full");
      written_.push_back(changes);
      return {};
    };
  }
  void set_broken(bool is_broken) {
    const std::lock_guard lock(mutex_);
    is_broken_ = is_broken;
  }
  std::vector<Changes> written() const {
    const std::lock_guard lock(mutex_);
    return written_;
  }
  // While this lives, writing waits.
  [[nodiscard]] std::unique_lock<std::mutex> stop() { return std::unique_lock(mutex_); }

 private:
  mutable std::mutex mutex_;
  bool is_broken_ = false;
  std::vector<Changes> written_;
};

class JournalTest : public ::testing::Test {
 protected:
  FakeDisk disk_;
  const oci::Digest digest_ = digest_of_text("content");
  const oci::Digest other_ = digest_of_text("other");
};

TEST_F(JournalTest, WhatChangedIsWrittenWithoutBeingAskedFor) {
  std::promise<Changes> written;
  Journal journal({}, [&](const Changes& changes) -> Result<void> {
    written.set_value(changes);
    return {};
  });
  journal.tag_changed({"reg", "team/app", "latest", ""});
  auto future = written.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(future.get().tags, (std::unordered_set<std::string>{"reg\nteam/app\nlatest\n"}));
}

TEST_F(JournalTest, ManyChangesOfOneThingAreOneWrite) {
  Journal journal({}, disk_.writer());
  {
    const auto stopped = disk_.stop();
    journal.content_changed(other_);  // may be on its way to the disk already
    for (int i = 0; i < 1000; ++i) journal.content_changed(digest_);
  }
  ASSERT_TRUE(journal.flush());
  EXPECT_LE(disk_.written().size(), 2u);
}

TEST_F(JournalTest, AFlushWithoutChangesIsNoWrite) {
  Journal journal({}, disk_.writer());
  EXPECT_TRUE(journal.flush());
  EXPECT_TRUE(disk_.written().empty());
}

TEST_F(JournalTest, UsesWaitForTheirTime) {
  Journal journal({.use_interval = 1h}, disk_.writer());
  journal.content_used(digest_);
  ASSERT_TRUE(journal.flush());  // takes them, and their next time is in an hour
  journal.content_used(digest_);
  journal.content_changed(other_);
  // The thread has looked at the change of content; that it left the use alone shows at the end.
  for (const auto until = std::chrono::steady_clock::now() + kPatience;
       disk_.written().size() < 2 && std::chrono::steady_clock::now() < until;) {
    std::this_thread::yield();
  }
  ASSERT_EQ(disk_.written().size(), 2u);
  EXPECT_TRUE(disk_.written()[1].uses.empty());
  EXPECT_TRUE(disk_.written()[1].contents.contains(other_));
  ASSERT_TRUE(journal.flush());
  ASSERT_EQ(disk_.written().size(), 3u);
  EXPECT_TRUE(disk_.written()[2].uses.contains(digest_));
}

TEST_F(JournalTest, UsesAreWrittenWhenTheirTimeHasCome) {
  Journal journal({.use_interval = 1ms}, disk_.writer());
  journal.content_used(digest_);
  for (const auto until = std::chrono::steady_clock::now() + kPatience;
       disk_.written().empty() && std::chrono::steady_clock::now() < until;) {
    std::this_thread::yield();
  }
  EXPECT_EQ(disk_.written().size(), 1u);
}

TEST_F(JournalTest, TheEndWritesWhatIsLeft) {
  {
    Journal journal({.use_interval = 1h}, disk_.writer());
    ASSERT_TRUE(journal.flush());
    journal.content_used(digest_);
    journal.put_document({"reg", "team/app", "tags"}, {.body = "x", .checked = at(1)});
  }
  Changes all;
  for (Changes& changes : disk_.written()) {
    all.uses.merge(changes.uses);
    all.documents.merge(changes.documents);
  }
  EXPECT_TRUE(all.uses.contains(digest_));
  EXPECT_EQ(all.documents.size(), 1u);
}

TEST_F(JournalTest, AFailedWriteIsToldOnceAndTriedAgain) {
  std::atomic<int> failures = 0;
  std::promise<void> recovered;
  disk_.set_broken(true);
  Journal journal({.retry_after = 1ms,
                   .on_health =
                       [&](const Result<void>& result) {
                         if (!result) {
                           ++failures;
                         } else {
                           recovered.set_value();
                         }
                       }},
                  disk_.writer());
  journal.content_changed(digest_);
  for (int i = 0; i < 3; ++i) {
    const auto flushed = journal.flush();
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().code, Code::NoSpace);
  }
  EXPECT_EQ(failures, 1);
  disk_.set_broken(false);
  ASSERT_EQ(recovered.get_future().wait_for(kPatience), std::future_status::ready)
      << "nobody has to ask for the next attempt";
  ASSERT_TRUE(journal.flush());
  ASSERT_EQ(disk_.written().size(), 1u);
  EXPECT_TRUE(disk_.written()[0].contents.contains(digest_));
}

TEST_F(JournalTest, ADocumentIsThereUntilItIsWritten) {
  const DocumentKey key{"reg", "team/app", "tags"};
  disk_.set_broken(true);
  Journal journal({.retry_after = 1h}, disk_.writer());
  journal.put_document(key, {.body = "first", .checked = at(1)});
  EXPECT_FALSE(journal.flush());
  journal.put_document(key, {.body = "second", .checked = at(2)});
  ASSERT_TRUE(journal.document(key));
  EXPECT_EQ(journal.document(key)->body, "second");
  disk_.set_broken(false);
  EXPECT_TRUE(journal.flush());
  EXPECT_FALSE(journal.document(key));
  ASSERT_EQ(disk_.written().size(), 1u);
  EXPECT_EQ(disk_.written()[0].documents.begin()->second.info->body, "second");
}

TEST_F(JournalTest, DocumentsThatCannotBeWrittenDoNotPileUp) {
  disk_.set_broken(true);
  Journal journal({.retry_after = 1h, .most_documents = 10, .most_document_bytes = 5000},
                  disk_.writer());
  const auto kept = [&] {
    std::string kept;
    for (int i = 0; i < 30; ++i) {
      const auto document = journal.document({"reg", "team/app", std::to_string(i)});
      if (document) kept += std::to_string(i) + " ";
    }
    return kept;
  };
  for (int i = 0; i < 20; ++i) {
    journal.put_document({"reg", "team/app", std::to_string(i)}, {.body = "x", .checked = at(i)});
  }
  EXPECT_EQ(kept(), "10 11 12 13 14 15 16 17 18 19 ");
  for (int i = 20; i < 23; ++i) {
    journal.put_document({"reg", "team/app", std::to_string(i)},
                         {.body = std::string(2000, 'x'), .checked = at(i)});
  }
  EXPECT_EQ(kept(), "21 22 ");
}

TEST_F(JournalTest, ManyThreadsChangeAndFlush) {
  Journal journal({.use_interval = 0ms}, disk_.writer());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string name = std::to_string(t) + "-" + std::to_string(i);
        journal.content_changed(digest_of_text(name));
        journal.content_used(digest_of_text(name));
        journal.put_document({"reg", "team/app", name}, {.body = name, .checked = at(i)});
        if (i % 10 == 0) {
          EXPECT_TRUE(journal.flush());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(journal.flush());
  std::unordered_set<oci::Digest> contents;
  for (Changes& changes : disk_.written()) contents.merge(changes.contents);
  EXPECT_EQ(contents.size(), 400u);
}

}  // namespace
}  // namespace fairlead::index
