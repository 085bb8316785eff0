// SPDX-License-Identifier: Apache-2.0
#include "auth/htpasswd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "testing/temporary_directory.h"

namespace fairlead::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kRest = "$NlIhHcXyAx3qXYOMOhvBLOX2v8R1T0lW5OtLBNd0Sz0n.YxhnV4Fm";
const std::string kHash = "$2y$10" + kRest;

HtpasswdFile good(const std::string& text) {
  auto parsed = HtpasswdFile::parse(text);
  if (parsed) return *std::move(parsed);
  for (const auto& problem : parsed.error()) ADD_FAILURE() << to_string(problem);
  return {};
}

std::vector<std::string> problems_of(const std::string& text) {
  const auto parsed = HtpasswdFile::parse(text);
  std::vector<std::string> out;
  if (parsed) return out;
  for (const auto& problem : parsed.error()) out.push_back(to_string(problem));
  return out;
}

TEST(Htpasswd, ReadsUsers) {
  const auto file = good("\xef\xbb\xbf# users\r\n\r\nalice:" + kHash +
                         "\r\n\n  \n#bob:x\nb@c.d, e:" + kHash + " \t\ncarol:" + kHash);
  EXPECT_EQ(file.size(), 3u);
  for (const std::string user : {"alice", "b@c.d, e", "carol"}) {
    const auto* const hash = file.find(user);
    ASSERT_NE(hash, nullptr) << user;
    EXPECT_EQ(hash->text().reveal(), kHash);
  }
  for (const std::string user : {"", "bob", "#bob", "Alice", "users"}) {
    EXPECT_EQ(file.find(user), nullptr) << user;
  }
  EXPECT_THAT(file.warnings(), IsEmpty());
}

TEST(Htpasswd, AnEmptyFileHasNoUsers) {
  for (const std::string text : {"", "\n", "# nothing\n"}) EXPECT_EQ(good(text).size(), 0u);
}

TEST(Htpasswd, SaysWhatIsWrongWithALine) {
  const std::string make = "; make it with htpasswd -B";
  const struct {
    std::string line;
    std::string problem;
  } rows[] = {
      {"alice", "has no colon; write user:hash"},
      {":" + kHash, "has no user name before the colon"},
      {"anonymous:" + kHash, "anonymous: is no user name: rules mean something else by it"},
      {"*:" + kHash, "*: is no user name: rules mean something else by it"},
      {"al\tice:" + kHash, "has a control character in the user name"},
      {std::string("al\0ice:", 7) + kHash, "has a control character in the user name"},
      {"al\x1b[2Jice:" + kHash, "has a control character in the user name"},
      {" alice:" + kHash, "has a blank around the user name"},
      {std::string(256, 'a') + ":" + kHash, "has a user name of more than 255 bytes"},
      {kHash + ":alice", "begins with a hash, not a user name"},
      {"alice:", "alice: not bcrypt" + make},
      {"alice:hunter2", "alice: not bcrypt" + make},
      {"alice: " + kHash, "alice: not bcrypt" + make},
      {"alice:" + kHash + ":x",
       "alice: a bcrypt hash that is damaged, of an old kind, or of a cost over 17" + make},
      {"alice:$apr1$LFQkJuNJ$9uiM4L3G7nFDdbZSk2MI.1", "alice: MD5 (apr1), not bcrypt" + make},
      {"alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "alice: SHA-1, not bcrypt" + make},
      {"alice:$6$x$y", "alice: SHA-512, not bcrypt" + make},
  };
  for (const auto& [line, problem] : rows) {
    EXPECT_THAT(problems_of("\n" + line + "\n"), ElementsAre("line 2: " + problem)) << line;
  }
  EXPECT_THAT(problems_of("a:" + kHash + "\nb:" + kHash + "\na:" + kHash),
              ElementsAre("line 3: a: is there twice"));
}

TEST(Htpasswd, OneWrongLineRefusesAllAndNoHashIsShown) {
  const auto problems =
      problems_of("good:" + kHash + "\nalice:hunter2\nhunter2\n$2y$hunter2:x\nbob:{SHA}hunter2\n");
  EXPECT_THAT(problems, SizeIs(4));
  for (const auto& problem : problems) EXPECT_THAT(problem, Not(HasSubstr("hunter2")));
}

TEST(Htpasswd, ReportsAreBounded) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "x\n";
  EXPECT_THAT(problems_of(text), SizeIs(HtpasswdFile::kMaxProblems));
  EXPECT_THAT(problems_of(std::string(HtpasswdFile::kMaxBytes + 1, '#')),
              ElementsAre("is larger than 4 MiB"));
}

TEST(Htpasswd, WarnsOfCheapHashesOnce) {
  const auto file =
      good("a:" + kHash + "\nb:$2y$05" + kRest + "\nc:$2a$07" + kRest + "\nd:$2b$08" + kRest);
  ASSERT_THAT(file.warnings(), SizeIs(1));
  EXPECT_EQ(to_string(file.warnings()[0]),
            "line 2: 2 hashes from here on cost less than 8: who gets the file guesses them fast; "
            "use htpasswd -B -C 10");
}

TEST(Htpasswd, KnowsTheUsualCost) {
  EXPECT_EQ(good("").usual_cost(), 10);
  EXPECT_EQ(good("a:$2y$05" + kRest + "\nb:$2y$12" + kRest + "\nc:$2y$12" + kRest).usual_cost(),
            12);
}

TEST(Htpasswd, IsReadFromAFile) {
  const fairlead::testing::TemporaryDirectory directory;
  std::ofstream(directory / "users") << "alice:" << kHash << "\n";
  const auto file = HtpasswdFile::read(directory / "users");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size(), 1u);
  const auto none = HtpasswdFile::read(directory / "none");
  ASSERT_FALSE(none);
  EXPECT_EQ(to_string(none.error().at(0)), "cannot be read: No such file or directory");
}

}  // namespace
}  // namespace fairlead::auth
