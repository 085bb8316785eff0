// SPDX-License-Identifier: Apache-2.0
#include "auth/token_key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <barrier>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>
#include <vector>

#include "auth/local_key.h"
#include "testing/temporary_directory.h"

namespace fairlead::auth {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

class TokenKeyFileTest : public ::testing::Test {
 protected:
  void put(const std::string& content, mode_t mode = 0600) const {
    std::ofstream(path_) << content;
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
  }

  [[nodiscard]] std::string content() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()));
  }

  void expect_refused(Code code, const std::string& why) const {
    const auto key = read_or_make_token_key(path_);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, code) << key.error().context;
    EXPECT_EQ(key.error().origin, Origin::Internal);
    EXPECT_TRUE(key.error().context.contains(why)) << key.error().context;
    EXPECT_TRUE(key.error().context.contains(path_)) << key.error().context;
  }

  fairlead::testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "token.key";
  const std::string key_ = std::string(64, 'a');
};

TEST_F(TokenKeyFileTest, MakesOneAndKeepsIt) {
  const auto made = read_or_make_token_key(path_);
  ASSERT_TRUE(made) << made.error().context;
  EXPECT_TRUE(LocalKey::parse(*made));
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(content(), made->reveal() + "\n");
  EXPECT_EQ(files(), 1U);

  EXPECT_EQ(read_or_make_token_key(path_), *made);
  EXPECT_NE(read_or_make_token_key(directory_ / "other.key"), *made);
}

TEST_F(TokenKeyFileTest, AllWhoStartAtOnceAgree) {
  constexpr int kProcesses = 8;
  for (int round = 0; round < 20; ++round) {
    std::vector<Result<Secret>> keys(kProcesses);
    std::barrier start(kProcesses);
    std::vector<std::jthread> threads;
    for (auto& key : keys) {
      threads.emplace_back([&] {
        start.arrive_and_wait();
        key = read_or_make_token_key(path_);
      });
    }
    threads.clear();
    for (const auto& key : keys) {
      ASSERT_TRUE(key) << key.error().context;
      EXPECT_EQ(*key, *keys.front());
    }
    EXPECT_EQ(files(), 1U);
    fs::remove(path_);
  }
}

TEST_F(TokenKeyFileTest, ReadsWhatAnOperatorPutThere) {
  for (const std::string& held : {key_, key_ + "\n"}) {
    put(held);
    const auto key = read_or_make_token_key(path_);
    ASSERT_TRUE(key) << key.error().context;
    EXPECT_EQ(key->reveal(), key_);
    EXPECT_EQ(content(), held);
  }
  put(key_, 0640);
  EXPECT_TRUE(read_or_make_token_key(path_));
  put(key_, 0400);
  EXPECT_TRUE(read_or_make_token_key(path_));
}

TEST_F(TokenKeyFileTest, LeavesAFileAloneThatHoldsNoKey) {
  for (const std::string& held : {""s, "\n"s, "c0ffee\n"s, key_.substr(1), key_ + "a",
                                  key_ + "\n\n", std::string(64, 'g'), std::string(100'000, 'a')}) {
    put(held);
    expect_refused(Code::Corrupt, "remove it");
    EXPECT_EQ(content(), held);
  }
}

TEST_F(TokenKeyFileTest, ALeftoverOfACrashIsNotTheKey) {
  std::ofstream(path_ + ".0123456789abcdef.new") << key_.substr(0, 10);
  const auto key = read_or_make_token_key(path_);
  ASSERT_TRUE(key) << key.error().context;
  EXPECT_NE(key->reveal(), key_);
}

TEST_F(TokenKeyFileTest, RefusesWhatOthersMayReadOrWrite) {
  for (const mode_t mode : {0604, 0602, 0644, 0666, 0601}) {
    put(key_, mode);
    expect_refused(Code::Denied, "every user");
  }
}

TEST_F(TokenKeyFileTest, RefusesAnotherUsersFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  put(key_);
  ASSERT_EQ(::chown(path_.c_str(), 12345, 12345), 0);
  expect_refused(Code::Denied, "another user");
}

TEST_F(TokenKeyFileTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  expect_refused(Code::Denied, "regular file");
  fs::remove(path_);

  fs::create_directory(path_);
  expect_refused(Code::Denied, "regular file");
  fs::remove(path_);

  std::ofstream(directory_ / "elsewhere") << key_;
  fs::create_symlink(directory_ / "elsewhere", path_);
  expect_refused(Code::Denied, "symbolic link");
  fs::remove(path_);

  fs::create_symlink(directory_ / "nowhere", path_);
  expect_refused(Code::Denied, "symbolic link");
  EXPECT_FALSE(fs::exists(directory_ / "nowhere"));
}

TEST_F(TokenKeyFileTest, SaysWhereItCannotBeMade) {
  const auto key = read_or_make_token_key(directory_ / "missing/token.key");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::NotFound);
  EXPECT_TRUE(key.error().context.contains("missing/token.key")) << key.error().context;
  EXPECT_TRUE(key.error().context.contains("auth.keys")) << key.error().context;
}

TEST_F(TokenKeyFileTest, ACommandReadsItAndMakesNone) {
  const auto none = read_token_key(path_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::NotFound);
  EXPECT_EQ(files(), 0U);

  put(key_ + "\n");
  EXPECT_EQ(read_token_key(path_)->reveal(), key_);
  put(key_ + "\n", 0604);
  EXPECT_EQ(read_token_key(path_).error().code, Code::Denied);
}

TEST_F(TokenKeyFileTest, ACommandReadsTheKeyOfTheGatewaysUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  put(key_ + "\n");
  ASSERT_EQ(::chown(path_.c_str(), 12345, 12345), 0);
  EXPECT_TRUE(read_token_key(path_));
}

}  // namespace
}  // namespace fairlead::auth
