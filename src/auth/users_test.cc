// SPDX-License-Identifier: Apache-2.0
#include "auth/users.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "async/workers.h"
#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"
#include "testing/temporary_directory.h"

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;

// Of "secret" and "U*U".
const std::string kSecret = "$2y$05$9e8mShuatnDhqipFHrwdR.DzsDKdt9T1SRrTgQXyXUqUGPQkJ7kui";
const std::string kUStar = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

class UsersTest : public fairlead::testing::CoroutineTest {
 protected:
  void write(const std::string& text) { std::ofstream(path_) << text; }
  void use(const std::string& text) {
    write(text);
    const auto loaded = users_.reload();
    ASSERT_TRUE(loaded) << loaded.error().context;
  }
  bool check(const std::string& user, const std::string& password) {
    const auto answer = run(users_.check(user, Secret(password)));
    EXPECT_TRUE(answer) << answer.error().context;
    return answer.value_or(false);
  }
  bool is_remembered(const std::string& user, const std::string& password) {
    return users_.is_remembered(user, Secret(password));
  }

  fairlead::testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "htpasswd";
  fairlead::testing::ManualClock clock_;
  async::BlockingPool pool_{2};
  Users users_{path_, clock_, pool_};
};

TEST_F(UsersTest, WhoIsHeldBackWhenTheirTurnComesLearnsNothing) {
  use("alice:" + kSecret + "\n");
  for (const std::string password : {"secret", "wrong"}) {
    const auto answer = run(users_.check("alice", Secret(password), [] { return true; }));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::TooManyRequests);
    EXPECT_FALSE(is_remembered("alice", password));
  }
}

TEST_F(UsersTest, TellsWhoGaveTheRightPassword) {
  use("alice:" + kSecret + "\nbob:" + kUStar + "\n");
  EXPECT_EQ(users_.size(), 2u);
  EXPECT_TRUE(check("alice", "secret"));
  EXPECT_TRUE(check("bob", "U*U"));
  EXPECT_FALSE(check("alice", "U*U"));
  EXPECT_FALSE(check("alice", ""));
  EXPECT_FALSE(check("Alice", "secret"));
  EXPECT_FALSE(check("", ""));
  EXPECT_FALSE(check("carol", "secret"));
}

TEST_F(UsersTest, NobodyIsKnownBeforeTheFile) {
  EXPECT_FALSE(check("alice", "secret"));
  EXPECT_EQ(users_.size(), 0u);
}

TEST_F(UsersTest, TheRightPasswordIsRememberedForAMinute) {
  use("alice:" + kSecret + "\n");
  EXPECT_FALSE(is_remembered("alice", "secret"));
  EXPECT_TRUE(check("alice", "secret"));
  EXPECT_TRUE(is_remembered("alice", "secret"));
  EXPECT_FALSE(is_remembered("alice", "secre"));
  EXPECT_FALSE(is_remembered("bob", "secret"));
  clock_.advance(59s);
  EXPECT_TRUE(is_remembered("alice", "secret"));
  EXPECT_TRUE(check("alice", "secret"));
  clock_.advance(1s);
  EXPECT_FALSE(is_remembered("alice", "secret")) << "asking again made it last longer";
  EXPECT_TRUE(check("alice", "secret"));
  EXPECT_TRUE(is_remembered("alice", "secret"));
}

TEST_F(UsersTest, AWrongPasswordIsNotRemembered) {
  use("alice:" + kSecret + "\n");
  EXPECT_FALSE(check("alice", "wrong"));
  EXPECT_FALSE(is_remembered("alice", "wrong"));
  EXPECT_FALSE(check("nobody", "wrong"));
  EXPECT_FALSE(is_remembered("nobody", "wrong"));
}

TEST_F(UsersTest, AChangeOfTheFileCountsAtOnce) {
  use("alice:" + kSecret + "\nbob:" + kUStar + "\n");
  EXPECT_TRUE(check("alice", "secret"));
  use("alice:" + kSecret + "\n# more\n");
  EXPECT_TRUE(is_remembered("alice", "secret")) << "her hash is the same";
  EXPECT_FALSE(check("bob", "U*U")) << "he is gone";
  use("alice:" + kUStar + "\n");
  EXPECT_FALSE(is_remembered("alice", "secret"));
  EXPECT_FALSE(check("alice", "secret"));
  EXPECT_TRUE(check("alice", "U*U"));
}

TEST_F(UsersTest, AWrongFileChangesNothing) {
  use("alice:" + kSecret + "\n");
  write("alice:" + kUStar + "\nbob:plain\n");
  const auto loaded = users_.reload();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().context, path_ + ": line 2: bob: not bcrypt; make it with htpasswd -B");
  EXPECT_TRUE(check("alice", "secret"));
  std::filesystem::remove(path_);
  EXPECT_EQ(users_.reload().error().context, path_ + ": cannot be read: No such file or directory");
  EXPECT_TRUE(check("alice", "secret"));
}

TEST_F(UsersTest, WarningsAreHandedOn) {
  write("alice:" + kSecret + "\n");
  const auto loaded = users_.reload();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->size(), 1u);
}

// A JWT sent as the password must not cost a computation, nor be cut to what fits.
TEST_F(UsersTest, PasswordsThatBcryptWouldCutAreWrongAtOnce) {
  use("alice:$2y$05$yjG.XFyKy7VETnqCuXYGnu6rmE0H/ziA0S69Pg.RZ/UcDPeQU6oiC\n");
  EXPECT_TRUE(check("alice", std::string(72, 'x')));
  EXPECT_FALSE(check("alice", std::string(73, 'x')));
  EXPECT_FALSE(is_remembered("alice", std::string(73, 'x')));
  EXPECT_FALSE(check("alice", std::string(72, 'x') + std::string("\0", 1)));
}

// A hundred machines that are told the same password and begin at the same time: one computation,
// so nobody is turned away, although no more than 66 could have been served.
TEST_F(UsersTest, EqualChecksAreOne) {
  use("alice:" + kSecret + "\n");
  std::vector<std::optional<Result<bool>>> answers(100);
  for (auto& answer : answers) begin(users_.check("alice", Secret("secret")), answer);
  run_until([&] {
    return std::ranges::all_of(answers, [](const auto& each) { return each.has_value(); });
  });
  for (const auto& answer : answers) EXPECT_TRUE(answer->value_or(false));
}

// Many workers, the same and different questions, and a file that is read again meanwhile.
TEST_F(UsersTest, AllWorkersAskAtOnce) {
  write("alice:" + kSecret + "\nbob:" + kUStar + "\n");
  async::Workers workers(4);
  async::BlockingPool pool(2);
  Users users(path_, clock_, pool);
  ASSERT_TRUE(users.reload());
  workers.start();
  const auto ask = [&](std::size_t worker, const std::string& user, const std::string& password) {
    return boost::asio::co_spawn(workers.executor(worker), users.check(user, Secret(password)),
                                 boost::asio::use_future);
  };
  std::vector<std::future<Result<bool>>> right, wrong;
  for (std::size_t i = 0; i < 48; ++i) {
    right.push_back(ask(i % 4, i % 2 == 0 ? "alice" : "bob", i % 2 == 0 ? "secret" : "U*U"));
    wrong.push_back(ask(i % 4, "alice", "guess " + std::to_string(i % 8)));
    if (i % 12 == 0) EXPECT_TRUE(users.reload());
  }
  for (auto& answer : right) EXPECT_TRUE(answer.get().value_or(false));
  for (auto& answer : wrong) EXPECT_FALSE(answer.get().value_or(true));
  workers.stop();
}

class BusyUsersTest : public UsersTest {
 protected:
  // Keeps the pool from anything else.
  async::Task<bool> occupy() {
    co_return co_await pool_.run([this] {
      is_free_.wait(false);
      return true;
    });
  }
  void free() {
    is_free_ = true;
    is_free_.notify_all();
  }

  std::atomic<bool> is_free_{false};
};

// The attack: logins without end, each for a computation.
TEST_F(BusyUsersTest, NoMoreWaitThanThereIsRoomFor) {
  use("alice:" + kSecret + "\n");
  std::vector<std::optional<bool>> occupants(2);
  for (auto& occupant : occupants) begin(occupy(), occupant);
  constexpr std::size_t kRoom = Users::kAtOnce + Users::kMaxWaiting;
  std::vector<std::optional<Result<bool>>> answers(kRoom + 1);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    begin(users_.check("alice", Secret("guess " + std::to_string(i))), answers[i]);
  }
  run_until([&] { return answers.back().has_value(); });
  const auto& refused = answers.back();
  ASSERT_FALSE(*refused);
  EXPECT_EQ(refused->error().code, Code::TooManyRequests);
  EXPECT_EQ(refused->error().origin, Origin::Client);
  EXPECT_EQ(refused->error().retry_after, 1s);
  EXPECT_EQ(std::ranges::count_if(answers, [](const auto& each) { return each.has_value(); }), 1);

  free();
  run_until([&] {
    return std::ranges::all_of(answers, [](const auto& each) { return each.has_value(); });
  });
  for (std::size_t i = 0; i < kRoom; ++i) {
    ASSERT_TRUE(*answers[i]) << i;
    EXPECT_FALSE(answers[i]->value());
  }
  EXPECT_TRUE(check("alice", "secret"));
}

TEST_F(BusyUsersTest, WhatIsRememberedPassesAllTheSame) {
  use("alice:" + kSecret + "\n");
  EXPECT_TRUE(check("alice", "secret"));
  std::vector<std::optional<bool>> occupants(2);
  for (auto& occupant : occupants) begin(occupy(), occupant);
  EXPECT_TRUE(check("alice", "secret"));
  free();
  run_until([&] { return occupants[0] && occupants[1]; });
}

// The attack: a name that is answered sooner than others does not exist.
TEST_F(BusyUsersTest, AnUnknownNameTakesTheSameWay) {
  use("alice:" + kSecret + "\n");
  std::vector<std::optional<bool>> occupants(2);
  for (auto& occupant : occupants) begin(occupy(), occupant);
  std::optional<Result<bool>> unknown;
  begin(users_.check("nobody", Secret("secret")), unknown);
  run_for(20ms);
  EXPECT_FALSE(unknown) << "answered without a computation";
  free();
  run_until([&] { return unknown.has_value(); });
  EXPECT_FALSE(unknown->value());
}

}  // namespace
}  // namespace fairlead::auth
