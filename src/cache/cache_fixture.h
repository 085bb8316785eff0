// SPDX-License-Identifier: Apache-2.0
// A cache on one worker, over a fake upstream and a fake store.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cache/fetcher.h"
#include "cache/services.h"
#include "index/memory_index.h"
#include "testing/coroutine_test.h"
#include "testing/fake_blob_store.h"
#include "testing/fake_upstream.h"
#include "testing/manual_clock.h"

namespace fairlead::cache {

inline std::string bytes_of_size(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 12345;
  for (char& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

// What one client gets: bytes, and whether it may believe to have them all.
struct Received {
  std::string bytes;
  std::optional<Error> error{};
};

inline async::Task<Received> receive(const Content& content, WantedRange range = {}) {
  Received received;
  const auto reader = content.read(range);
  for (;;) {
    const auto piece = co_await reader->next();
    if (!piece) {
      received.error = piece.error();
      co_return received;
    }
    if (piece->length == 0) co_return received;
    if (piece->file < 0) {
      received.bytes += as_text(piece->bytes);
      continue;
    }
    std::string part(piece->length, '\0');
    const ssize_t n =
        ::pread(piece->file, part.data(), part.size(), static_cast<off_t>(piece->offset));
    EXPECT_EQ(n, static_cast<ssize_t>(part.size())) << "a piece beyond what is in the file";
    received.bytes += part;
  }
}

// For results without a default, which co_spawn asks for.
template <class T>
async::Task<> put_into(std::optional<T>& result, async::Task<T> task) {
  result.emplace(co_await std::move(task));
}

class CacheFixture : public fairlead::testing::CoroutineTest {
 protected:
  using Outcome = Content::Outcome;
  using Transfer = fairlead::testing::FakeTransfer;
  static constexpr std::size_t kSize = 300'000;
  static constexpr const char* kTeam = "team/app";
  static constexpr const char* kOther = "other/app";

  void TearDown() override {
    upstream_.close();
    tasks_.close();
    ASSERT_TRUE(run(tasks_.join(std::chrono::steady_clock::now() + kPatience)));
    EXPECT_EQ(fills_.size(), 0u) << "a fill that ended stayed in the table";
  }

  template <class T>
  void begin(async::Task<T> task, std::optional<T>& result) {
    boost::asio::co_spawn(context_, put_into(result, std::move(task)),
                          [](const std::exception_ptr& thrown) {
                            if (thrown) std::rethrow_exception(thrown);
                          });
  }
  template <class T>
  T run(async::Task<T> task) {
    std::optional<T> result;
    begin(std::move(task), result);
    run_until([&] { return result.has_value(); });
    return *std::move(result);
  }

  Source source(const std::string& repository, ContentKind kind = ContentKind::Blob) {
    return {.registry = &registry_,
            .registry_name = "reg.test",
            .repository = repository,
            .kind = kind};
  }
  Source manifests(const std::string& repository) {
    return source(repository, ContentKind::Manifest);
  }

  Result<Content> fetch(const Source& from, const oci::Digest& digest) {
    return run(fetcher_.fetch(from, digest));
  }
  // Fetches and reads to the end.
  Received pull(const Source& from, const oci::Digest& digest, WantedRange range = {}) {
    auto content = fetch(from, digest);
    if (!content) return {{}, content.error()};
    return run(receive(*content, range));
  }
  void wait_until_held() {
    run_until([this] { return upstream_.holding() > 0; });
  }
  void wait_for_fills() {
    run_until([this] { return tasks_.size() == 0; });
  }

  fairlead::testing::FakeUpstream upstream_;
  fairlead::testing::FakeRegistry registry_{upstream_};
  fairlead::testing::FakeBlobStore store_;
  index::MemoryIndex index_;
  FillTable fills_;
  TagChecks checks_;
  SpaceSignal space_;
  fairlead::testing::ManualClock clock_;
  async::BlockingPool pool_{1};
  async::TaskGroup tasks_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  Bookkeeper bookkeeper_{index_, store_, clock_};
  Services services_{.store = store_,
                     .index = index_,
                     .bookkeeper = bookkeeper_,
                     .fills = fills_,
                     .pool = pool_,
                     .checks = checks_,
                     .space = space_,
                     .tasks = tasks_,
                     .clock = clock_,
                     .log = log_};
  Fetcher fetcher_{services_};
};

}  // namespace fairlead::cache
