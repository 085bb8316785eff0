// SPDX-License-Identifier: Apache-2.0
// What becomes of index.db when processes are killed, disks fill up and files are damaged.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <random>

#include "index/schema.h"
#include "index/sqlite_index_fixture.h"

namespace fairlead::index {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

class SqliteIndexFaultTest : public SqliteIndexFixture {
 protected:
  // Enough for some dozen pages.
  void make_large() {
    const auto index = open();
    add_facts(*index);
    for (int i = 0; i < 3000; ++i) {
      const auto digest = digest_of_text(std::to_string(i));
      index->add_stored(digest, "application/m", 1, {}, at(i));
      index->add_link("reg", "team/" + std::to_string(i % 10), digest);
    }
  }

  // The damaged file is kept as it was, and there is a fresh one that works.
  void expect_rebuilt(const std::string& damaged) {
    {
      const auto index = open();
      ASSERT_TRUE(index);
      ASSERT_TRUE(index->was_rebuilt());
      EXPECT_TRUE(index->moved_aside().starts_with(path_ + ".damaged-2"));
      EXPECT_EQ(read(index->moved_aside()), damaged);
      EXPECT_EQ(index->totals().contents, 0u);
      add_facts(*index, 9);
      EXPECT_TRUE(index->flush());
    }
    const auto index = open();
    EXPECT_FALSE(index->was_rebuilt());
    expect_facts(*index, 9);
  }
};

// --- crashes ---

// Another process that has flushed add_facts(1) and, until this is gone, goes on as told.
class OtherProcess {
 public:
  enum class Then { Wait, Write };
  template <class AddFacts>
  OtherProcess(const std::string& path, Then then, const AddFacts& add_facts) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    child_ = ::fork();
    if (child_ == 0) {
      const auto index = SqliteIndex::open(path).value();
      add_facts(*index, 1);
      const char answer = index->flush() ? 'y' : 'n';
      if (::write(pipe[1], &answer, 1) != 1) ::_exit(1);
      for (int n = 2; then == Then::Write; ++n) add_facts(*index, n);
      for (;;) ::pause();
    }
    char answer = 0;
    EXPECT_EQ(::read(pipe[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    ::close(pipe[0]);
    ::close(pipe[1]);
  }
  ~OtherProcess() {
    ::kill(child_, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(child_, &status, 0), child_);
    EXPECT_TRUE(WIFSIGNALED(status));
  }

 private:
  pid_t child_ = -1;
};

TEST_F(SqliteIndexFaultTest, WhatWasFlushedOutlivesAKill) {
  {
    const OtherProcess killed(path_, OtherProcess::Then::Write, add_facts);
  }
  {
    const auto reader = SqliteIndex::open_read_only(path_);
    ASSERT_TRUE(reader) << reader.error().context;
    expect_facts(**reader, 1);
  }
  const auto index = open();
  EXPECT_FALSE(index->was_rebuilt());
  expect_facts(*index, 1);
}

// A user who may only read, while the gateway runs and after it was killed.
TEST_F(SqliteIndexFaultTest, AnotherUserReadsWhatAnotherProcessWrote) {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto expect_readable = [&] {
    ASSERT_EQ(::seteuid(kNobody), 0);
    const auto reader = SqliteIndex::open_read_only(path_);
    ASSERT_EQ(::seteuid(0), 0);
    ASSERT_TRUE(reader) << reader.error().context;
    expect_facts(**reader, 1);
  };
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  {
    const OtherProcess running(path_, OtherProcess::Then::Wait, add_facts);
    expect_readable();
  }
  expect_readable();
}

// --- a disk that does not take it ---

// While this lives, no file grows beyond `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(SqliteIndexFaultTest, ADiskThatIsFullStopsNobodyAndIsWrittenToLater) {
  std::atomic<int> failures = 0;
  std::promise<void> recovered;
  auto options = SqliteIndexOptions{
      .journal = {.retry_after = 10ms,
                  .on_health =
                      [&](const Result<void>& result) {
                        if (result) {
                          recovered.set_value();
                        } else {
                          ++failures;
                        }
                      }},
  };
  const auto index = open(std::move(options));
  add_facts(*index, 1);
  ASSERT_TRUE(index->flush());
  {
    const FileSizeLimit limit(4 << 20);
    index->put_document({"reg", "team/app", "large"},
                        {.body = std::string(6 << 20, 'x'), .checked = at(0)});
    add_facts(*index, 2);
    const auto flushed = index->flush();
    ASSERT_FALSE(flushed);
    EXPECT_NE(flushed.error().context.find(path_), std::string::npos) << flushed.error().context;
    expect_facts(*index, 1);
    expect_facts(*index, 2);
    EXPECT_FALSE(index->flush());
    EXPECT_EQ(failures, 1);
  }
  ASSERT_EQ(recovered.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(index->flush());
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_TRUE(reader);
  expect_facts(**reader, 1);
  expect_facts(**reader, 2);
  EXPECT_EQ((*reader)->document({"reg", "team/app", "large"})->body.size(), 6u << 20);
}

// As after a stop with a full disk: the index has to be read for eviction to make room.
TEST_F(SqliteIndexFaultTest, ADiskThatIsFullAtTheStartIsWrittenToLater) {
  add_facts(*open(), 1);
  std::unique_ptr<SqliteIndex> index;
  {
    const FileSizeLimit limit(1024);
    auto opened = SqliteIndex::open(path_, {.journal = {.retry_after = 1h}});
    ASSERT_TRUE(opened) << opened.error().context;
    index = *std::move(opened);
    EXPECT_FALSE(index->was_rebuilt());
    expect_facts(*index, 1);
    add_facts(*index, 2);
    EXPECT_FALSE(index->flush());
    expect_facts(*index, 2);
  }
  ASSERT_TRUE(index->flush());
  index->remove_stored(digest_of_text("manifest1"));
  index.reset();
  const auto again = open();
  EXPECT_FALSE(again->was_rebuilt());
  EXPECT_FALSE(again->content(digest_of_text("manifest1")));
  EXPECT_TRUE(again->document({"reg", "team/app1", "tags"})) << "the file was made anew";
  expect_facts(*again, 2);
}

TEST_F(SqliteIndexFaultTest, AFileThatVanishesIsMadeAnew) {
  const auto index = open({.journal = {.retry_after = 1h}});
  add_facts(*index, 1);
  ASSERT_TRUE(index->flush());
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  add_facts(*index, 2);
  (void)index->flush();  // finds it gone, unless the journal had before
  EXPECT_TRUE(index->flush());
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_TRUE(reader) << reader.error().context;
  expect_facts(**reader, 1, /*has_document=*/false);
  expect_facts(**reader, 2);
}

TEST_F(SqliteIndexFaultTest, ADirectoryThatVanishesIsWaitedFor) {
  const auto index = open({.journal = {.retry_after = 1h}});
  add_facts(*index, 1);
  ASSERT_TRUE(index->flush());
  std::filesystem::remove_all(directory_.path());
  add_facts(*index, 2);
  EXPECT_FALSE(index->flush());
  expect_facts(*index, 2);
  std::filesystem::create_directory(directory_.path());
  (void)index->flush();
  EXPECT_TRUE(index->flush());
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_TRUE(reader) << reader.error().context;
  expect_facts(**reader, 1, /*has_document=*/false);
  expect_facts(**reader, 2);
}

TEST_F(SqliteIndexFaultTest, AFileThatIsDamagedInUseIsMadeAnew) {
  make_large();
  const auto index = open({.journal = {.retry_after = 1h}});
  std::string bytes = read(path_);
  for (std::size_t i = 16384; i < bytes.size(); ++i) bytes[i] = '\xa5';
  write(path_, bytes);  // the same file, other content
  add_facts(*index, 2);
  (void)index->flush();
  EXPECT_TRUE(index->flush());
  {
    const auto reader = SqliteIndex::open_read_only(path_);
    ASSERT_TRUE(reader) << reader.error().context;
    expect_facts(**reader, 0, /*has_document=*/false);
    expect_facts(**reader, 2);
    EXPECT_EQ((*reader)->totals().contents, 3004u);
  }
  int damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    damaged += entry.path().filename().string().starts_with("index.db.damaged-") ? 1 : 0;
  }
  EXPECT_GE(damaged, 1);
}

// --- files that are no index ---

// Threads load parts of the digests: one that ends too early must not go unnoticed.
TEST_F(SqliteIndexFaultTest, ADigestOutOfItsPlaceIsNoticed) {
  make_large();
  std::string bytes = read(path_);
  for (std::size_t at_byte = 0;;) {
    at_byte = bytes.find("sha256:6", at_byte);
    if (at_byte == std::string::npos) break;
    bytes[at_byte + 7] = 'f';
  }
  write(path_, bytes);
  expect_rebuilt(bytes);
}

TEST_F(SqliteIndexFaultTest, AnEmptyFileIsAFreshOne) {
  write(path_, "");
  EXPECT_TRUE(SqliteIndex::open_read_only(path_));
  const auto index = open();
  EXPECT_FALSE(index->was_rebuilt());
  add_facts(*index);
  expect_facts(*index);
}

TEST_F(SqliteIndexFaultTest, RandomBytesAreMovedAside) {
  std::minstd_rand random(7);
  std::string bytes(50'000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  write(path_, bytes);
  const auto reader = SqliteIndex::open_read_only(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::Corrupt);
  expect_rebuilt(bytes);
}

TEST_F(SqliteIndexFaultTest, ATextFileIsMovedAside) {
  write(path_, "not a database");
  expect_rebuilt("not a database");
}

TEST_F(SqliteIndexFaultTest, AnotherProgramsDatabaseIsMovedAside) {
  {
    auto database = Database::open(path_, Database::Mode::ReadWrite);
    ASSERT_TRUE(database->execute("CREATE TABLE theirs (a); PRAGMA application_id = 99"));
  }
  expect_rebuilt(read(path_));
}

TEST_F(SqliteIndexFaultTest, ATruncatedFileIsMovedAside) {
  make_large();
  const std::string whole = read(path_);
  for (const std::size_t size : {whole.size() / 2, std::size_t{16384}, std::size_t{100}}) {
    SCOPED_TRACE(size);
    write(path_, whole.substr(0, size));
    expect_rebuilt(whole.substr(0, size));
  }
}

TEST_F(SqliteIndexFaultTest, OverwrittenPagesInTheMiddleAreMovedAside) {
  make_large();
  std::string bytes = read(path_);
  ASSERT_GT(bytes.size(), 16 * 16384u);
  for (std::size_t i = bytes.size() / 3; i < 2 * bytes.size() / 3; ++i) bytes[i] = '\0';
  write(path_, bytes);
  expect_rebuilt(bytes);
}

// Whatever a few wrong bytes do: it opens, rebuilt or not, and works. (Not all damage can be seen.)
TEST_F(SqliteIndexFaultTest, AnyDamageEndsWithAnIndexThatWorks) {
  make_large();
  const std::string whole = read(path_);
  std::minstd_rand random(1);
  int rebuilt = 0;
  for (int round = 0; round < 30; ++round) {
    std::string bytes = whole;
    const std::size_t at_byte = random() % bytes.size();
    const std::size_t length = 1 + random() % 2000;
    for (std::size_t i = at_byte; i < std::min(bytes.size(), at_byte + length); ++i) {
      bytes[i] = static_cast<char>(random());
    }
    write(path_, bytes);
    {
      const auto index = open();
      ASSERT_TRUE(index) << "round " << round;
      rebuilt += index->was_rebuilt() ? 1 : 0;
      add_facts(*index, 5);
      if (!index->flush()) EXPECT_TRUE(index->flush()) << "round " << round;
      expect_facts(*index, 5);
    }
    ASSERT_TRUE(open()) << "round " << round;
  }
  EXPECT_GT(rebuilt, 0);
}

TEST_F(SqliteIndexFaultTest, ANewerVersionIsLeftAlone) {
  add_facts(*open());
  {
    auto database = Database::open(path_, Database::Mode::ReadWrite);
    database->set_checkpoint_on_close(true);
    ASSERT_TRUE(database->execute("PRAGMA user_version = 99"));
  }
  const std::string before = read(path_);
  for (const auto& error :
       {SqliteIndex::open(path_).error(), SqliteIndex::open_read_only(path_).error()}) {
    EXPECT_EQ(error.code, Code::Unsupported);
    for (const std::string& word :
         {path_, std::string("99"), std::to_string(schema_version()), std::string("delete")}) {
      EXPECT_NE(error.context.find(word), std::string::npos) << error.context;
    }
  }
  EXPECT_EQ(read(path_), before);
}

TEST_F(SqliteIndexFaultTest, RowsWithoutSenseAreSkippedAndCounted) {
  add_facts(*open());
  const std::string good = digest_of_text("good").str();
  {
    auto database = Database::open(path_, Database::Mode::ReadWrite);
    const std::string sql =
        "INSERT INTO content VALUES ('sha256:short', 'm', 1, 1, 0, 0, '');"
        "INSERT INTO content VALUES ('" +
        digest_of_text("1").str() +
        "', '', -1, 1, 0, 0, '');"
        "INSERT INTO content VALUES ('" +
        digest_of_text("2").str() +
        "', '', 1, 1, 0, 9223372036854775807, '');"
        "INSERT INTO content VALUES ('" +
        digest_of_text("3").str() +
        "', '', 1, 1, 0, 0, 'x');"
        "INSERT INTO content VALUES ('" +
        good +
        "', '', 1, 1, 0, 0, '');"
        "INSERT INTO link VALUES ('" +
        good +
        "', 4711);"
        "INSERT INTO tag VALUES ('r', 'a', 't', '', 'no digest', '', NULL, '', 0);"
        "INSERT INTO first_seen VALUES ('r', 'a', 'no digest', 0);";
    ASSERT_TRUE(database->execute(sql.c_str()));
  }
  const auto index = open();
  EXPECT_FALSE(index->was_rebuilt());
  EXPECT_EQ(index->skipped_rows(), 7u);
  EXPECT_TRUE(index->content(digest_of_text("good")));
  EXPECT_EQ(index->totals().contents, 3u);
  expect_facts(*index);
}

}  // namespace
}  // namespace fairlead::index
