// SPDX-License-Identifier: Apache-2.0
// Many readers on two workers, over a real disk: one transfer, everybody gets every byte.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <vector>

#include "async/workers.h"
#include "cache/cache_fixture.h"
#include "store/disk_blob_store.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {
namespace {

constexpr const char* kRepository = "team/app";
constexpr std::size_t kReaders = 16;

class SharingTest : public ::testing::Test {
 protected:
  void SetUp() override { workers_.start(); }
  void TearDown() override {
    upstream_.close();
    tasks_.close();
    EXPECT_EQ(on(0, tasks_.join(std::chrono::steady_clock::now() + std::chrono::seconds(30))).get(),
              true);
    workers_.stop();
  }

  template <class T>
  static async::Task<std::optional<T>> as_optional(async::Task<T> task) {
    co_return co_await std::move(task);
  }
  template <class T>
  std::future<std::optional<T>> on(std::size_t worker, async::Task<T> task) {
    return boost::asio::co_spawn(workers_.executor(worker), as_optional(std::move(task)),
                                 boost::asio::use_future);
  }
  Source source(std::size_t worker) {
    return {.registry = &registries_[worker], .registry_name = "reg", .repository = kRepository};
  }
  // One fetch a reader, in turn on both workers.
  std::vector<Content> fetch_all(const oci::Digest& digest) {
    std::vector<std::future<std::optional<Result<Content>>>> pending;
    for (std::size_t i = 0; i < kReaders; ++i) {
      pending.push_back(on(i % 2, fetchers_[i % 2].fetch(source(i % 2), digest)));
    }
    std::vector<Content> contents;
    for (auto& content : pending) contents.push_back(content.get().value().value());
    return contents;
  }

  const std::string bytes_ = bytes_of_size(3'000'000);
  fairlead::testing::TemporaryDirectory directory_;
  std::unique_ptr<store::DiskBlobStore> store_ =
      store::DiskBlobStore::open_directory(directory_.path()).value();
  fairlead::testing::FakeUpstream upstream_;
  fairlead::testing::FakeRegistry registries_[2]{fairlead::testing::FakeRegistry(upstream_),
                                                 fairlead::testing::FakeRegistry(upstream_)};
  index::MemoryIndex index_;
  FillTable fills_;
  async::TaskGroup tasks_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  async::Workers workers_{2};
  async::BlockingPool pool_{2};  // goes before the workers
  TagChecks checks_;
  SpaceSignal space_;
  SystemClock clock_;
  Bookkeeper bookkeeper_{index_, *store_, clock_};
  Services services_{.store = *store_,
                     .index = index_,
                     .bookkeeper = bookkeeper_,
                     .fills = fills_,
                     .pool = pool_,
                     .checks = checks_,
                     .space = space_,
                     .tasks = tasks_,
                     .clock = clock_,
                     .log = log_};
  Fetcher fetchers_[2]{Fetcher(services_), Fetcher(services_)};
};

TEST_F(SharingTest, OneTransferServesManyReadersOnTwoWorkers) {
  const auto digest = upstream_.put_blob(kRepository, bytes_);
  upstream_.script({.hold_after = 1'000'000});
  const auto contents = fetch_all(digest);
  std::vector<std::future<std::optional<Received>>> readers;
  for (std::size_t i = 0; i < kReaders; ++i) readers.push_back(on(i % 2, receive(contents[i])));
  upstream_.release();
  for (auto& reader : readers) {
    const auto received = reader.get().value();
    EXPECT_FALSE(received.error);
    EXPECT_TRUE(received.bytes == bytes_);
  }
  const auto filled = std::ranges::count(contents, Content::Outcome::Fill, &Content::outcome);
  EXPECT_EQ(filled, 1);
  EXPECT_EQ(upstream_.calls().size(), 1u);
}

TEST_F(SharingTest, AWrongContentIsCompleteForNobody) {
  const auto digest = upstream_.put_blob(kRepository, bytes_);
  std::string wrong = bytes_;
  wrong[10] ^= 1;
  upstream_.script({.hold_after = 1'000'000, .sends = wrong});
  const auto contents = fetch_all(digest);
  std::vector<std::future<std::optional<Received>>> readers;
  for (std::size_t i = 0; i < kReaders; ++i) readers.push_back(on(i % 2, receive(contents[i])));
  upstream_.release();
  for (auto& reader : readers) {
    const auto received = reader.get().value();
    ASSERT_TRUE(received.error);
    EXPECT_EQ(received.error->code, Code::Corrupt);
    EXPECT_LT(received.bytes.size(), wrong.size());
  }
  EXPECT_FALSE(store_->open(digest).value());
}

TEST_F(SharingTest, PullsThatRaceWithThePublishingAllGoWell) {
  for (int round = 0; round < 5; ++round) {
    const auto digest = upstream_.put_blob(kRepository, "round " + std::to_string(round));
    for (const auto& content : fetch_all(digest)) {
      const auto received = on(0, receive(content)).get().value();
      EXPECT_FALSE(received.error);
      EXPECT_EQ(received.bytes, "round " + std::to_string(round));
    }
  }
}

}  // namespace
}  // namespace fairlead::cache
