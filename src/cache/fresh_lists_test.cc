// SPDX-License-Identifier: Apache-2.0
#include "cache/fresh_lists.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace fairlead::cache {
namespace {

WallTime at(int seconds) { return WallTime(std::chrono::seconds(seconds)); }

TEST(FreshLists, AListIsWholeSinceItWasSeenWhole) {
  FreshLists lists;
  EXPECT_FALSE(lists.may_be_whole("a"));
  lists.note_whole("a", lists.generation("a"), "text", at(5));
  EXPECT_TRUE(lists.may_be_whole("a"));
  EXPECT_EQ(lists.whole_since("a", "text"), at(5));
  EXPECT_EQ(lists.whole_since("a", "older text"), std::nullopt) << "what is kept is another";
  EXPECT_EQ(lists.whole_since("b", "text"), std::nullopt);
}

TEST(FreshLists, AChangeEndsIt) {
  FreshLists lists;
  lists.note_whole("a", lists.generation("a"), "text", at(5));
  lists.note_changed("a");
  EXPECT_FALSE(lists.may_be_whole("a"));
  EXPECT_EQ(lists.whole_since("a", "text"), std::nullopt);
}

// The attack on what a pusher has been promised: an answer of the time before the push.
TEST(FreshLists, AnAnswerAskedForBeforeAChangeIsNotFresh) {
  FreshLists lists;
  const auto asked = lists.generation("a");
  lists.note_changed("a");
  lists.note_whole("a", asked, "text", at(5));
  EXPECT_FALSE(lists.may_be_whole("a"));
  lists.note_whole("a", lists.generation("a"), "text", at(6));
  EXPECT_EQ(lists.whole_since("a", "text"), at(6));
}

TEST(FreshLists, AllOfARepositoryEndAtOnce) {
  FreshLists lists;
  const auto asked = lists.generation("r\na\nx");
  for (const char* list : {"r\na\ny", "r\na\nz", "r\nb\ny"}) {
    lists.note_whole(list, lists.generation(list), "text", at(5));
  }
  lists.note_all_changed("r\na\n");
  lists.note_whole("r\na\nx", asked, "text", at(5));
  EXPECT_FALSE(lists.may_be_whole("r\na\nx")) << "asked for before";
  EXPECT_FALSE(lists.may_be_whole("r\na\ny"));
  EXPECT_FALSE(lists.may_be_whole("r\na\nz"));
  EXPECT_TRUE(lists.may_be_whole("r\nb\ny"));
}

TEST(FreshLists, AreBounded) {
  FreshLists lists;
  std::size_t known = 0;
  for (std::size_t i = 0; i < FreshLists::kCapacity + 10; ++i) {
    lists.note_whole(std::to_string(i), lists.generation(std::to_string(i)), "", at(1));
  }
  for (std::size_t i = 0; i < FreshLists::kCapacity + 10; ++i) {
    known += lists.may_be_whole(std::to_string(i)) ? 1 : 0;
  }
  EXPECT_EQ(known, FreshLists::kCapacity);
}

TEST(FreshLists, OneEditsAListAtATime) {
  FreshLists lists;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const auto lock = lists.edit("a");
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 4000);
}

}  // namespace
}  // namespace fairlead::cache
