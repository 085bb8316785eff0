// SPDX-License-Identifier: Apache-2.0
#include "auth/bcrypt.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

// "secret", by Apache's htpasswd.
const std::string kSecret = "$2y$05$9e8mShuatnDhqipFHrwdR.DzsDKdt9T1SRrTgQXyXUqUGPQkJ7kui";

bool matches(const std::string& hash, const std::string& password) {
  const auto parsed = BcryptHash::parse(hash);
  EXPECT_TRUE(parsed) << hash;
  return parsed && parsed->matches(Secret(password));
}

TEST(Bcrypt, TellsTheRightPassword) {
  EXPECT_TRUE(matches(kSecret, "secret"));
  for (const std::string wrong : {"", "Secret", "secret ", "secre", "secretx"}) {
    EXPECT_FALSE(matches(kSecret, wrong)) << wrong;
  }
}

// Of the test vectors of crypt_blowfish.
TEST(Bcrypt, AllKindsAgree) {
  for (const std::string kind : {"a", "b", "y"}) {
    EXPECT_TRUE(
        matches("$2" + kind + "$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"));
    EXPECT_TRUE(
        matches("$2" + kind + "$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", ""));
  }
}

TEST(Bcrypt, TheSaltsLastBitsMeanNothing) {
  EXPECT_TRUE(matches("$2y$05$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"));
}

// The attack: the right password, and behind it what bcrypt does not read.
TEST(Bcrypt, WhatBcryptDoesNotReadIsWrong) {
  EXPECT_FALSE(matches(kSecret, std::string("secret\0", 7)));
  EXPECT_FALSE(matches(kSecret, std::string("secret\0more", 11)));

  // Of 72 times "x", by htpasswd, which cuts what is longer and says nothing.
  const std::string long_one = "$2y$05$yjG.XFyKy7VETnqCuXYGnu6rmE0H/ziA0S69Pg.RZ/UcDPeQU6oiC";
  EXPECT_TRUE(matches(long_one, std::string(72, 'x')));
  EXPECT_FALSE(matches(long_one, std::string(73, 'x')));
  EXPECT_FALSE(matches(long_one, std::string(100'000, 'x')));
}

TEST(Bcrypt, ReadsTheCost) {
  EXPECT_EQ(BcryptHash::parse(kSecret)->cost(), 5);
  std::string costly = kSecret;
  costly.replace(4, 2, "17");
  EXPECT_EQ(BcryptHash::parse(costly)->cost(), 17);
}

TEST(Bcrypt, RefusesWhatIsNoBcryptHash) {
  const auto with = [](std::size_t at, const std::string& text) {
    std::string hash = kSecret;
    return hash.replace(at, text.size(), text);
  };
  for (const std::string& text :
       {std::string(), std::string("secret"), with(2, "x"), with(2, "$"), with(4, "03"),
        with(4, "18"), with(4, "31"), with(4, "99"), with(4, "1x"), with(6, "."), with(30, ":"),
        with(59, "*"), with(59, "\n"), kSecret + "a", kSecret.substr(0, 59),
        std::string("$apr1$LFQkJuNJ$9uiM4L3G7nFDdbZSk2MI.1"),
        std::string("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")}) {
    EXPECT_FALSE(BcryptHash::parse(text)) << text;
  }
}

TEST(Bcrypt, NobodyHasAPassword) {
  for (const int cost : {-1, 4, 5}) {
    const BcryptHash nobody = BcryptHash::of_nobody(cost);
    EXPECT_EQ(nobody.cost(), std::max(4, cost));
    ASSERT_TRUE(BcryptHash::parse(nobody.text().reveal()));
    EXPECT_FALSE(nobody.matches(Secret()));
    EXPECT_FALSE(nobody.matches(Secret("secret")));
  }
  EXPECT_EQ(BcryptHash::of_nobody(99).cost(), 17);
}

}  // namespace
}  // namespace fairlead::auth
