// SPDX-License-Identifier: Apache-2.0
#include "store/disk_blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "testing/blob_store_conformance.h"
#include "testing/fake_blob_store.h"
#include "testing/temporary_directory.h"

namespace fairlead::testing {

namespace fs = std::filesystem;

std::string path_of_blob(const std::string& directory, const oci::Digest& digest) {
  const std::string hex(digest.hex());
  return directory + "/blobs/" + std::string(oci::to_string(digest.algorithm())) + "/" +
         hex.substr(0, 2) + "/" + hex;
}

struct DiskStoreFactory {
  store::BlobStore& store() { return *store_; }
  void lose(const oci::Digest& digest) { fs::remove(path_of_blob(directory_.path(), digest)); }

  TemporaryDirectory directory_;
  std::unique_ptr<store::DiskBlobStore> store_ =
      store::DiskBlobStore::open_directory(directory_.path()).value();
};
INSTANTIATE_TYPED_TEST_SUITE_P(Disk, BlobStoreConformance, DiskStoreFactory);

// The fake that other modules' tests rely on keeps the same promises.
struct FakeStoreFactory {
  store::BlobStore& store() { return store_; }
  void lose(const oci::Digest& digest) { store_.lose(digest); }
  FakeBlobStore store_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, BlobStoreConformance, FakeStoreFactory);

}  // namespace fairlead::testing

namespace fairlead::store {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::size_t files_below(const std::string& directory) {
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  return files;
}

class DiskBlobStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<DiskBlobStore> open() {
    auto store = DiskBlobStore::open_directory(directory_.path());
    EXPECT_TRUE(store) << store.error().context;
    return *std::move(store);
  }
  void put(DiskBlobStore& store, std::optional<std::uint64_t> reserved = {}) {
    const auto ingest = store.begin(digest_, reserved).value();
    ASSERT_TRUE(ingest->write(as_byte_view(bytes_)));
    ASSERT_TRUE(ingest->commit());
  }

  fairlead::testing::TemporaryDirectory directory_;
  const std::string bytes_ = "some content";
  const oci::Digest digest_ = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes_));
};

TEST_F(DiskBlobStoreTest, BlobsAreThereAfterARestart) {
  put(*open());
  const auto file = open()->open(digest_);
  ASSERT_TRUE(file && *file);
  EXPECT_EQ((*file)->size, bytes_.size());
}

TEST_F(DiskBlobStoreTest, LeftoversOfACrashAreRemovedAtStart) {
  open();
  for (const auto& name :
       {std::string(64, 'a') + ".0", std::string(128, '0') + ".17", std::string("unnamed.3")})
    std::ofstream(directory_ / "tmp/" + name) << "x";
  const auto store = open();
  EXPECT_EQ(store->leftovers_removed(), 3u);
  EXPECT_EQ(files_below(directory_ / "tmp"), 0u);
}

// A directory that was named by mistake, and looks like a cache.
TEST_F(DiskBlobStoreTest, FilesOfOthersAreNotTakenForLeftovers) {
  open();
  const std::string hex(64, 'a');
  const std::vector<std::string> names{"notes.txt",
                                       "aa.0",
                                       hex,
                                       hex + ".",
                                       hex + ".0x",
                                       hex + "a.0",
                                       "A" + hex.substr(1) + ".0",
                                       "." + hex,
                                       "unnamed",
                                       "unnamed.",
                                       "unnamed.x",
                                       "renamed.3"};
  for (const auto& name : names) std::ofstream(directory_ / "tmp/" + name) << "x";
  fs::create_directory(directory_ / "tmp/" + hex + ".1");
  fs::create_symlink("/etc/passwd", directory_ / "tmp/" + hex + ".2");
  EXPECT_EQ(open()->leftovers_removed(), 0u);
  EXPECT_EQ(files_below(directory_ / "tmp"), names.size() + 1);
  EXPECT_TRUE(fs::exists(directory_ / "tmp/" + hex + ".1"));
}

TEST_F(DiskBlobStoreTest, ADirectoryWithOtherThingsIsRefusedAndNotTouched) {
  fs::create_directory(directory_ / "tmp");
  std::ofstream(directory_ / "tmp/" + std::string(64, 'a') + ".0") << "x";
  for (const bool must_exist : {false, true}) {
    const auto store = DiskBlobStore::open_directory(directory_.path(), {.must_exist = must_exist});
    ASSERT_FALSE(store);
    EXPECT_THAT(store.error().context, HasSubstr(directory_.path()));
    EXPECT_THAT(store.error().context, HasSubstr(must_exist ? "there is no Fairlead cache in"
                                                            : "no Fairlead cache: name"));
  }
  const auto looking = DiskBlobStore::open_read_only(directory_.path());
  ASSERT_FALSE(looking);
  EXPECT_EQ(looking.error().code, Code::NotFound);
  EXPECT_EQ(files_below(directory_.path()), 1u);
  EXPECT_FALSE(fs::exists(directory_ / "blobs"));
}

// What a fresh disk has at its top.
TEST_F(DiskBlobStoreTest, ADiskWithNothingButLostFoundIsTaken) {
  fs::create_directory(directory_ / "lost+found");
  open();
}

TEST_F(DiskBlobStoreTest, ACommandMakesNoCacheWhereNoneIs) {
  for (const std::string& path : {directory_.path(), directory_ / "absent"}) {
    const auto store = DiskBlobStore::open_directory(path, {.must_exist = true});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Code::NotFound);
  }
  EXPECT_TRUE(fs::is_empty(directory_.path()));
  EXPECT_TRUE(DiskBlobStore::open_read_only(directory_.path())) << "an empty cache";
  put(*open());
  EXPECT_TRUE(DiskBlobStore::open_directory(directory_.path(), {.must_exist = true}));
}

TEST_F(DiskBlobStoreTest, NeitherCommitNorDiscardLeavesATemporaryFile) {
  const auto store = open();
  put(*store);
  store->begin(digest_, std::nullopt).value()->discard();
  {
    const auto abandoned = store->begin(digest_, 10).value();
  }
  EXPECT_EQ(files_below(directory_ / "tmp"), 0u);
  EXPECT_EQ(files_below(directory_ / "blobs"), 1u);
}

TEST_F(DiskBlobStoreTest, ADirectoryInUseIsRefusedAndTheMessageSaysWhatToDo) {
  const auto first = open();
  const auto second = DiskBlobStore::open_directory(directory_.path());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().context, HasSubstr(directory_.path()));
  EXPECT_THAT(second.error().context, HasSubstr("--cache-directory"));
}

TEST_F(DiskBlobStoreTest, ADirectoryInUseByAnotherProcessKeepsItsTemporaryFiles) {
  const auto first = open();
  const auto filling = first->begin(digest_, 100).value();
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(DiskBlobStore::open_directory(directory_.path()) ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "two processes used one directory";
  ASSERT_TRUE(filling->write(as_byte_view(bytes_)));
  EXPECT_TRUE(filling->commit());
}

TEST_F(DiskBlobStoreTest, ADirectoryThatCannotBeMadeIsNamedWithTheReason) {
  const std::string in_the_way = directory_ / "file";
  std::ofstream(in_the_way) << "x";
  const auto store = DiskBlobStore::open_directory(in_the_way + "/cache");
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().context, HasSubstr(in_the_way + "/cache"));
  EXPECT_THAT(store.error().context, HasSubstr("Not a directory"));
  EXPECT_THAT(store.error().context, HasSubstr("--cache-directory"));
}

TEST_F(DiskBlobStoreTest, SpaceThatWasReservedAndNotNeededIsGivenBack) {
  const auto store = open();
  put(*store, 50'000'000);
  struct stat status{};
  ASSERT_EQ(::stat(fairlead::testing::path_of_blob(directory_.path(), digest_).c_str(), &status),
            0);
  EXPECT_EQ(static_cast<std::size_t>(status.st_size), bytes_.size());
  EXPECT_LT(status.st_blocks * 512, 1'000'000);
}

TEST_F(DiskBlobStoreTest, AStoredBlobIsReadOnly) {
  put(*open());
  const auto mode = fs::status(fairlead::testing::path_of_blob(directory_.path(), digest_));
  EXPECT_EQ(mode.permissions() & fs::perms(0222), fs::perms::none);
  EXPECT_EQ(mode.permissions() & fs::perms::others_all, fs::perms::none);
}

// The attack: whoever may write into the directory points a digest at /etc/shadow.
TEST_F(DiskBlobStoreTest, ALinkInPlaceOfABlobIsNotFollowed) {
  const auto store = open();
  const std::string path = fairlead::testing::path_of_blob(directory_.path(), digest_);
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(directory_ / "secret") << "secret";
  fs::create_symlink(directory_ / "secret", path);
  EXPECT_FALSE(store->open(digest_));
}

std::vector<oci::Digest> visited(DiskBlobStore& store) {
  std::vector<oci::Digest> found;
  const auto walked = store.for_each(
      [&](const oci::Digest& digest, std::uint64_t, WallTime) { found.push_back(digest); });
  EXPECT_TRUE(walked) << walked.error().context;
  return found;
}

TEST_F(DiskBlobStoreTest, WhatIsNoBlobByPlaceNameOrKindIsNotVisited) {
  const auto store = open();
  put(*store);
  const std::string hex(digest_.hex());
  const std::string sha256 = directory_ / "blobs/sha256";
  const std::string other(64, hex[0] == 'f' ? 'e' : 'f');
  fs::create_directories(sha256 + "/" + other.substr(0, 2) + "/" + other);  // a directory
  std::ofstream(sha256 + "/" + other.substr(0, 2) + "/" + hex) << "elsewhere";
  std::ofstream(sha256 + "/" + hex) << "too high";
  std::ofstream(sha256 + "/" + hex.substr(0, 2) + "/README") << "no digest";
  fs::create_symlink("/etc/passwd",
                     sha256 + "/" + hex.substr(0, 2) + "/" + hex.substr(0, 2) + other.substr(2));
  EXPECT_THAT(visited(*store), ElementsAre(digest_));
}

TEST_F(DiskBlobStoreTest, AVisitTellsWhenABlobWasMade) {
  const auto store = open();
  const auto before = std::chrono::system_clock::now() - std::chrono::seconds(2);
  put(*store);
  WallTime modified{};
  ASSERT_TRUE(
      store->for_each([&](const oci::Digest&, std::uint64_t, WallTime when) { modified = when; }));
  EXPECT_GE(modified, before);
  EXPECT_LE(modified, std::chrono::system_clock::now() + std::chrono::seconds(2));
}

TEST_F(DiskBlobStoreTest, ACacheDirectoryThatIsGoneIsAnErrorAndNotEmpty) {
  const auto store = open();
  put(*store);
  fs::rename(directory_.path(), directory_.path() + ".away");
  EXPECT_FALSE(store->for_each([](const oci::Digest&, std::uint64_t, WallTime) {}));
  EXPECT_FALSE(store->begin(digest_, 10)) << "written where no disk is mounted any more";
  EXPECT_FALSE(fs::exists(directory_.path()));
  EXPECT_FALSE(store->check_in_place());
  fs::create_directory(directory_.path());
  EXPECT_FALSE(store->check_in_place()) << "as a mount point without its disk";
  fs::remove(directory_.path());
  fs::rename(directory_.path() + ".away", directory_.path());
  EXPECT_TRUE(store->check_in_place());
  EXPECT_THAT(visited(*store), ElementsAre(digest_));
}

TEST_F(DiskBlobStoreTest, ADirectoryEmptiedWhileRunningIsFilledAgain) {
  const auto store = open();
  put(*store);
  for (const char* part : {"tmp", "blobs", "lock"}) fs::remove_all(directory_ / part);
  EXPECT_TRUE(store->check_in_place());
  EXPECT_FALSE(store->open(digest_).value());
  EXPECT_EQ(store->remove(digest_), Removal::Absent);
  EXPECT_THAT(visited(*store), IsEmpty());
  put(*store);
  EXPECT_TRUE(store->open(digest_).value());
}

TEST_F(DiskBlobStoreTest, BlobsThatVanishWhileAContentIsOnItsWayAreNoHindrance) {
  const auto store = open();
  const auto ingest = store->begin(digest_, std::nullopt).value();
  ASSERT_TRUE(ingest->write(as_byte_view(bytes_)));
  fs::remove_all(directory_ / "blobs");
  ASSERT_TRUE(ingest->commit());
  EXPECT_TRUE(store->open(digest_).value());
}

TEST_F(DiskBlobStoreTest, ADirectoryThatVanishesWhileAContentIsOnItsWayFailsItsCommit) {
  const auto store = open();
  const auto ingest = store->begin(digest_, std::nullopt).value();
  fs::remove_all(directory_.path());
  EXPECT_TRUE(ingest->write(as_byte_view(bytes_))) << "readers follow the file nevertheless";
  EXPECT_FALSE(ingest->commit());
  EXPECT_EQ(fairlead::testing::read_all(ingest->fd(), bytes_.size()), bytes_);
  EXPECT_FALSE(fs::exists(directory_.path()));
}

// A directory that may be written to and not be opened stands for one that cannot be synced.
TEST_F(DiskBlobStoreTest, WhatCannotBeMadeLastingLeavesNoFile) {
  const auto store = open();
  const std::string path = fairlead::testing::path_of_blob(directory_.path(), digest_);
  const std::string parent = fs::path(path).parent_path();
  fs::create_directories(parent);
  const auto ingest = store->begin(digest_, std::nullopt).value();
  ASSERT_TRUE(ingest->write(as_byte_view(bytes_)));
  constexpr uid_t kNobody = 65534;
  const bool is_root = ::geteuid() == 0;
  for (const auto& at : {directory_.path(), directory_ / "tmp"}) ::chmod(at.c_str(), 0777);
  for (const auto& at : {directory_ / "blobs", directory_ / "blobs/sha256"}) {
    ::chmod(at.c_str(), 0755);
  }
  ::chmod(parent.c_str(), 0333);
  if (is_root) ASSERT_EQ(::seteuid(kNobody), 0);
  const auto committed = ingest->commit();
  if (is_root) ASSERT_EQ(::seteuid(0), 0);
  ::chmod(parent.c_str(), 0755);
  ASSERT_FALSE(committed);
  EXPECT_THAT(committed.error().context, HasSubstr("fsync"));
  EXPECT_FALSE(fs::exists(path));
}

// The attack: an upstream claims a layer of a petabyte, or sends without end.
TEST_F(DiskBlobStoreTest, NoContentIsLargerThanTheCacheMayBe) {
  const auto store =
      DiskBlobStore::open_directory(directory_.path(), {.max_content = bytes_.size()}).value();
  const auto claimed = store->begin(digest_, bytes_.size() + 1);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, Code::NoSpace);
  EXPECT_EQ(files_below(directory_ / "tmp"), 0u);

  const auto unclaimed = store->begin(digest_, std::nullopt).value();
  ASSERT_TRUE(unclaimed->write(as_byte_view(bytes_)));
  const auto beyond = unclaimed->write(as_byte_view("!"));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, Code::NoSpace);
  put(*store, bytes_.size());
}

TEST_F(DiskBlobStoreTest, AllIsVisitedThoughFilesComeAndGoMeanwhile) {
  const auto store = open();
  put(*store);
  std::atomic<bool> is_done{false};
  std::thread churn([&] {
    for (int i = 0; !is_done; i = (i + 1) % 500) {
      const auto bytes = "churn " + std::to_string(i);
      const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
      const std::string path = fairlead::testing::path_of_blob(directory_.path(), digest);
      fs::create_directories(fs::path(path).parent_path());
      std::ofstream(path) << bytes;
      if (i % 3 != 0) fs::remove(path);
    }
  });
  for (int i = 0; i < 50; ++i) {
    const auto found = visited(*store);
    EXPECT_EQ(std::ranges::count(found, digest_), 1);
  }
  is_done = true;
  churn.join();
}

// tmpfs refuses at once to reserve more than it is large, so nothing is really filled up.
TEST(DiskBlobStoreSpace, AFullDiskShowsWhenSpaceIsReserved) {
  constexpr long kTmpfs = 0x01021994;
  struct statfs status{};
  if (::statfs("/dev/shm", &status) != 0 || status.f_type != kTmpfs || status.f_blocks == 0) {
    GTEST_SKIP() << "needs /dev/shm on a tmpfs of limited size";
  }
  std::string path = "/dev/shm/fairlead-test-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) GTEST_SKIP() << "needs a writable /dev/shm";
  {
    const auto store = DiskBlobStore::open_directory(path).value();
    const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view("x"));
    const auto too_large = static_cast<std::uint64_t>(status.f_blocks) *
                           static_cast<std::uint64_t>(status.f_bsize) * 2;
    const auto ingest = store->begin(digest, too_large);
    ASSERT_FALSE(ingest);
    EXPECT_EQ(ingest.error().code, Code::NoSpace);
    EXPECT_EQ(files_below(path + "/tmp"), 0u);
  }
  fs::remove_all(path);
}

// A disk of 256 KiB, mounted in a namespace of the calling thread's own. False without the right
// to do so.
bool mount_small_disk(const std::string& at) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=256k") == 0;
}

TEST_F(DiskBlobStoreTest, AFullDiskShowsWhenWritingAndWhatWasWrittenStaysReadable) {
  bool has_disk = false;
  std::thread thread([&] {
    if (!(has_disk = mount_small_disk(directory_.path()))) return;
    const auto store = open();
    const auto ingest = store->begin(digest_, std::nullopt).value();
    EXPECT_TRUE(ingest->write(as_byte_view("before")));
    const auto written = ingest->write(as_byte_view(std::string(1'000'000, 'x')));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Code::NoSpace) << written.error().context;
    EXPECT_EQ(fairlead::testing::read_all(ingest->fd(), 6), "before");
    ingest->discard();
    EXPECT_FALSE(store->open(digest_).value());
  });
  thread.join();
  if (!has_disk) GTEST_SKIP() << "needs the right to mount a tmpfs";
}

}  // namespace
}  // namespace fairlead::store
