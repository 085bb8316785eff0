// SPDX-License-Identifier: Apache-2.0
#include "cache/quiet_read.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 64;

class QuietReadTest : public ::testing::Test {
 protected:
  QuietReadTest() {
    for (std::size_t i = 0; i < kPages * kPage; ++i) bytes_ += static_cast<char>(i * 7 / 5);
    EXPECT_EQ(::write(fd_.get(), bytes_.data(), bytes_.size()),
              static_cast<ssize_t>(bytes_.size()));
    ::fsync(fd_.get());
    ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  std::string read(std::uint64_t offset, std::size_t size) {
    std::string buffer(size, '\0');
    const auto n =
        read_quietly(fd_.get(), std::as_writable_bytes(std::span(buffer)), offset).value();
    buffer.resize(n);
    return buffer;
  }
  // Of each page, whether it is in memory.
  std::vector<bool> resident() {
    void* map = ::mmap(nullptr, bytes_.size(), PROT_READ, MAP_SHARED, fd_.get(), 0);
    std::array<unsigned char, kPages> pages{};
    EXPECT_EQ(::mincore(map, bytes_.size(), pages.data()), 0);
    ::munmap(map, bytes_.size());
    std::vector<bool> found;
    for (const auto page : pages) found.push_back((page & 1) != 0);
    return found;
  }

  fairlead::testing::TemporaryDirectory directory_;
  UniqueFd fd_{::open((directory_ / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  std::string bytes_;
};

TEST_F(QuietReadTest, ReadsWhatIsThere) {
  EXPECT_EQ(read(0, bytes_.size()), bytes_);
  EXPECT_EQ(read(0, bytes_.size() + 100), bytes_);
  EXPECT_EQ(read(1234, 5000), bytes_.substr(1234, 5000));
  EXPECT_EQ(read(bytes_.size() - 10, 100), bytes_.substr(bytes_.size() - 10));
  EXPECT_EQ(read(bytes_.size(), 100), "");
}

TEST_F(QuietReadTest, LeavesTheMemoryAsItWas) {
  const std::vector<bool> none(kPages, false);
  if (resident() != none) GTEST_SKIP() << "this file system keeps its files in memory";
  EXPECT_EQ(read(0, bytes_.size()), bytes_);
  EXPECT_EQ(resident(), none);

  // What somebody else uses stays: here the first pages.
  std::string used(4 * kPage, '\0');
  ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_RANDOM);
  ASSERT_EQ(::pread(fd_.get(), used.data(), used.size(), 0), static_cast<ssize_t>(used.size()));
  const auto before = resident();
  if (!before[0] || before[kPages - 1]) GTEST_SKIP() << "this file system reads as it likes";
  EXPECT_EQ(read(0, bytes_.size()), bytes_);
  const auto after = resident();
  EXPECT_TRUE(after[0]);
  EXPECT_TRUE(after[1]);
  EXPECT_FALSE(after[kPages - 1]);
}

}  // namespace
}  // namespace fairlead::cache
