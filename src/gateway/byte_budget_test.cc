// SPDX-License-Identifier: Apache-2.0
#include "gateway/byte_budget.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

namespace fairlead::gateway {
namespace {

TEST(ByteBudget, IsForAllTogether) {
  ByteBudget budget(10);
  auto a = budget.share();
  auto b = budget.share();
  EXPECT_TRUE(a.grow_to(6));
  EXPECT_FALSE(b.grow_to(5));
  EXPECT_TRUE(b.grow_to(4));
  EXPECT_EQ(budget.held(), 10u);
  EXPECT_FALSE(a.grow_to(7));
  EXPECT_EQ(budget.held(), 10u);
}

TEST(ByteBudget, WhatIsGivenBackIsForOthers) {
  ByteBudget budget(10);
  std::optional a(budget.share());
  auto b = budget.share();
  EXPECT_TRUE(a->grow_to(10));
  EXPECT_FALSE(b.grow_to(1));
  a.reset();
  EXPECT_EQ(budget.held(), 0u);
  EXPECT_TRUE(b.grow_to(10));
}

TEST(ByteBudget, AShareGrowsOnly) {
  ByteBudget budget(10);
  auto share = budget.share();
  EXPECT_TRUE(share.grow_to(3));
  EXPECT_TRUE(share.grow_to(8));
  EXPECT_TRUE(share.grow_to(2));
  EXPECT_EQ(budget.held(), 8u);
}

TEST(ByteBudget, AShareThatMovesIsCountedOnce) {
  ByteBudget budget(10);
  {
    auto first = budget.share();
    EXPECT_TRUE(first.grow_to(7));
    auto second = std::move(first);
    EXPECT_EQ(budget.held(), 7u);
    EXPECT_TRUE(second.grow_to(10));
  }
  EXPECT_EQ(budget.held(), 0u);
}

TEST(ByteBudget, MoreThanThereIsAtAllDoesNotWrapAround) {
  ByteBudget budget(10);
  auto share = budget.share();
  EXPECT_TRUE(share.grow_to(1));
  EXPECT_FALSE(share.grow_to(std::numeric_limits<std::size_t>::max()));
  EXPECT_EQ(budget.held(), 1u);
}

}  // namespace
}  // namespace fairlead::gateway
