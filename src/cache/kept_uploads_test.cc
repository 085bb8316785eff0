// SPDX-License-Identifier: Apache-2.0
// Blobs that are kept while they are pushed: whole, verified, and never in the way of the push.
#include "cache/kept_uploads.h"

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

using namespace std::chrono_literals;

constexpr std::size_t kPiece = 100'000;

oci::Digest sha256_of(const std::string& text) {
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(text));
}

// Gives `bytes` piece by piece, then `error` or the end.
class TextBody final : public upstream::Body {
 public:
  explicit TextBody(std::string bytes, std::optional<Error> error = {}, std::size_t piece = kPiece)
      : bytes_(std::move(bytes)), error_(std::move(error)), size_(piece) {}

  async::Task<Result<ByteView>> read() override {
    // What was given is valid no longer.
    piece_.assign(piece_.size(), '?');
    piece_ = bytes_.substr(0, size_);
    bytes_.erase(0, piece_.size());
    if (piece_.empty() && error_) co_return std::unexpected(*error_);
    co_return as_byte_view(piece_);
  }

 private:
  std::string bytes_;
  std::string piece_;
  const std::optional<Error> error_;
  const std::size_t size_;
};

async::Task<Received> read_all(std::shared_ptr<upstream::Body> body) {
  Received received;
  for (;;) {
    const auto piece = co_await body->read();
    if (!piece) {
      received.error = piece.error();
      co_return received;
    }
    if (piece->empty()) co_return received;
    received.bytes += as_text(*piece);
  }
}

class KeptUploadsTest : public CacheFixture {
 protected:
  std::shared_ptr<upstream::Body> keep(const std::string& upload, const std::string& bytes) {
    return uploads_->keep(upload, std::make_shared<TextBody>(bytes));
  }
  // One request, of which the registry takes all.
  void send(const std::string& upload, const std::string& bytes) {
    const auto received = run(read_all(keep(upload, bytes)));
    EXPECT_EQ(received.bytes, bytes) << "the registry got something else";
    EXPECT_FALSE(received.error);
  }
  std::uint64_t finish(const std::string& upload, const oci::Digest& digest) {
    Source from = source(kTeam);
    from.asked = checks_.recent().count();
    return run(uploads_->finish(upload, from, digest));
  }

  const std::string bytes_ = bytes_of_size(kSize);
  const oci::Digest digest_ = sha256_of(bytes_);
  std::unique_ptr<KeptUploads> uploads_ = std::make_unique<KeptUploads>(services_);
};

TEST_F(KeptUploadsTest, WhatWasPushedInSeveralRequestsIsAHit) {
  send("u", bytes_.substr(0, 10));
  uploads_->confirm("u", 10);
  send("u", bytes_.substr(10, 200'000));
  uploads_->confirm("u", 200'010);
  send("u", bytes_.substr(200'010));
  EXPECT_FALSE(store_.holds(digest_)) << "before the registry has taken it";
  EXPECT_EQ(finish("u", digest_), kSize);
  EXPECT_EQ(store_.ingests(), 0u);
  auto content = fetch(source(kTeam), digest_);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->outcome(), Outcome::Hit);
  EXPECT_EQ(run(receive(*content)).bytes, bytes_);
  EXPECT_TRUE(upstream_.calls().empty());
  EXPECT_FALSE(index_.has_link("reg.test", kOther, digest_));
  EXPECT_EQ(finish("u", digest_), 0u) << "nothing is left of it";
}

TEST_F(KeptUploadsTest, ALongDigestIsVerifiedAsWell) {
  const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha512, as_byte_view(bytes_));
  const auto other = oci::digest_of(oci::DigestAlgorithm::Sha512, as_byte_view("other"));
  send("u", bytes_);
  EXPECT_EQ(finish("u", digest), kSize);
  EXPECT_TRUE(store_.holds(digest));
  send("v", bytes_);
  EXPECT_EQ(finish("v", other), 0u);
  EXPECT_FALSE(store_.holds(other));
}

TEST_F(KeptUploadsTest, AWrongDigestIsNeverStored) {
  const auto wrong = sha256_of("something else");
  send("u", bytes_);
  EXPECT_EQ(finish("u", wrong), 0u);
  EXPECT_FALSE(store_.holds(wrong));
  EXPECT_FALSE(store_.holds(digest_));
  EXPECT_EQ(store_.ingests(), 0u);
}

TEST_F(KeptUploadsTest, WhatPassedElsewhereMakesItNotKept) {
  send("u", bytes_.substr(0, 1000));
  uploads_->confirm("u", 2000);
  EXPECT_EQ(store_.ingests(), 0u);
  send("u", bytes_.substr(2000));
  EXPECT_EQ(store_.begun(), 1u) << "it began again in the middle";
  EXPECT_EQ(finish("u", digest_), 0u);
  uploads_->confirm("unknown", 5);
  EXPECT_EQ(finish("unknown", digest_), 0u);
}

TEST_F(KeptUploadsTest, AClientThatGoesAwayMayGoOn) {
  const Error gone{.code = Code::Cancelled, .context = "the client is gone"};
  const auto cut = uploads_->keep("u", std::make_shared<TextBody>(bytes_.substr(0, 1000), gone));
  const auto received = run(read_all(cut));
  EXPECT_EQ(received.bytes.size(), 1000u);
  ASSERT_TRUE(received.error);
  EXPECT_EQ(received.error->code, Code::Cancelled);
  uploads_->confirm("u", 1000);
  send("u", bytes_.substr(1000));
  EXPECT_EQ(finish("u", digest_), kSize);
}

// The registry may have answered when it had all that was announced, without asking for the end.
TEST_F(KeptUploadsTest, ABodyThatIsNotReadToItsEndIsNoObstacle) {
  const auto body = uploads_->keep("u", std::make_shared<TextBody>(bytes_, std::nullopt, kSize));
  EXPECT_EQ(run(body->read())->size(), kSize);
  EXPECT_EQ(finish("u", digest_), kSize);
  EXPECT_TRUE(run(body->read())->empty());
}

TEST_F(KeptUploadsTest, AFullDiskIsNoTroubleForThePush) {
  store_.faults.space = 150'000;
  send("u", bytes_);
  EXPECT_EQ(space_.take_wanted(), 0u) << "what others have would be driven out";
  EXPECT_EQ(store_.ingests(), 0u);
  send("u", bytes_);
  EXPECT_EQ(store_.begun(), 1u) << "tried again in the middle";
  EXPECT_EQ(finish("u", digest_), 0u);

  store_.faults = {.begin_finds_no_space = true};
  send("v", bytes_);
  EXPECT_EQ(finish("v", digest_), 0u);

  store_.faults = {.commit_fails = true};
  send("w", bytes_);
  EXPECT_EQ(finish("w", digest_), 0u);
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest_));
  EXPECT_EQ(store_.ingests(), 0u);
}

TEST_F(KeptUploadsTest, OnAFullDiskWhatWasIdleLongestMakesRoomForTheNext) {
  send("idle", bytes_);
  clock_.advance(1ms);
  send("busy", bytes_);
  clock_.advance(1ms);
  store_.faults.space = 150'000;
  send("u", bytes_);
  EXPECT_EQ(finish("u", digest_), 0u);
  EXPECT_EQ(store_.ingests(), 1u);
  EXPECT_EQ(finish("busy", digest_), kSize);
  EXPECT_EQ(finish("idle", digest_), 0u);
}

// The attack: uploads that are never ended, until the disk is full.
TEST_F(KeptUploadsTest, TogetherTheyHoldWhatTheCacheMayHold) {
  space_.limit().set(2 * kSize + 10);
  for (const char* upload : {"0", "1", "2", "3"}) {
    send(upload, bytes_);
    clock_.advance(1ms);
  }
  EXPECT_EQ(store_.ingests(), 2u);
  send("0", "more");
  EXPECT_EQ(store_.begun(), 4u) << "it began again in the middle";
  EXPECT_EQ(finish("0", sha256_of(bytes_ + "more")), 0u);
  EXPECT_EQ(finish("1", digest_), 0u);
  EXPECT_EQ(finish("3", digest_), kSize);
  EXPECT_EQ(finish("2", digest_), kSize);
  send("4", bytes_);
  send("5", bytes_);
  EXPECT_EQ(store_.ingests(), 2u) << "what is not kept any more does not count";
}

TEST_F(KeptUploadsTest, OneMayBeAsLargeAsTheCacheAndNoLarger) {
  space_.limit().set(kSize);
  send("other", "idle");
  clock_.advance(1ms);
  send("u", bytes_);
  EXPECT_EQ(store_.ingests(), 1u);
  EXPECT_EQ(finish("u", digest_), kSize);
  send("v", bytes_);
  send("v", "more");
  EXPECT_EQ(store_.ingests(), 0u);
  EXPECT_EQ(finish("v", sha256_of(bytes_ + "more")), 0u);
}

TEST_F(KeptUploadsTest, SmallPiecesCountAsWell) {
  space_.limit().set(kSize + 5000);
  send("idle", bytes_);
  clock_.advance(1ms);
  const std::string small = bytes_.substr(0, 10'000);
  const auto body = uploads_->keep("u", std::make_shared<TextBody>(small, std::nullopt, 1000));
  EXPECT_EQ(run(read_all(body)).bytes, small);
  EXPECT_EQ(finish("idle", digest_), 0u);
  EXPECT_EQ(finish("u", sha256_of(small)), small.size());
}

TEST_F(KeptUploadsTest, RoomIsMadeByThoseThatWereIdleLongest) {
  EXPECT_EQ(uploads_->make_room(1), 0u);
  for (const char* upload : {"0", "1", "2"}) {
    send(upload, bytes_);
    clock_.advance(1ms);
  }
  EXPECT_EQ(uploads_->make_room(kSize + 1), 2 * kSize);
  EXPECT_EQ(store_.ingests(), 1u);
  EXPECT_EQ(finish("2", digest_), kSize);
}

TEST_F(KeptUploadsTest, TwoRequestsAtOnceMixNothingUp) {
  const auto first = keep("u", bytes_);
  const auto second = keep("u", bytes_);
  std::optional<Received> one;
  std::optional<Received> two;
  begin(read_all(first), one);
  begin(read_all(second), two);
  run_until([&] { return one && two; });
  EXPECT_EQ(one->bytes, bytes_);
  EXPECT_EQ(two->bytes, bytes_);
  EXPECT_EQ(finish("u", digest_), 0u);
  EXPECT_EQ(store_.ingests(), 0u);
}

TEST_F(KeptUploadsTest, WhatIsStoredAlreadyIsOnlyLinked) {
  send("u", bytes_);
  ASSERT_EQ(finish("u", digest_), kSize);
  send("v", bytes_);
  store_.faults.commit_fails = true;
  EXPECT_EQ(run(uploads_->finish("v", source(kOther), digest_)), kSize);
  EXPECT_TRUE(index_.has_link("reg.test", kOther, digest_));
  EXPECT_EQ(store_.ingests(), 0u);
}

TEST_F(KeptUploadsTest, WhatIsDeletedMeanwhileIsNotLinked) {
  send("u", bytes_);
  store_.faults.on_commit = [&] {
    checks_.recent().change(holding_of(source(kTeam), digest_), [] {});
  };
  EXPECT_EQ(finish("u", digest_), kSize);
  EXPECT_FALSE(index_.has_link("reg.test", kTeam, digest_));
}

TEST_F(KeptUploadsTest, WhatIsNotGoneOnWithGoes) {
  send("u", bytes_);
  send("v", bytes_);
  clock_.advance(KeptUploads::kMaxPause);
  uploads_->drop_idle();
  EXPECT_EQ(store_.ingests(), 2u);
  send("v", "more");
  clock_.advance(1s);
  uploads_->drop_idle();
  EXPECT_EQ(store_.ingests(), 1u);
  clock_.advance(KeptUploads::kMaxPause);
  send("w", bytes_);
  EXPECT_EQ(store_.ingests(), 1u) << "swept when another came";
  EXPECT_EQ(finish("w", digest_), kSize);
}

TEST_F(KeptUploadsTest, OfTooManyTheOneThatWasIdleLongestGoes) {
  for (const char* upload : {"0", "1", "2"}) {
    send(upload, "begun");
    clock_.advance(1ms);
  }
  for (std::size_t i = 3; i < KeptUploads::kMaxUploads; ++i) keep(std::to_string(i), "");
  send("0", "gone on with");
  send("another", bytes_);
  EXPECT_NE(finish("0", sha256_of("begungone on with")), 0u);
  EXPECT_EQ(finish("1", sha256_of("begun")), 0u);
  EXPECT_NE(finish("2", sha256_of("begun")), 0u);
  EXPECT_EQ(finish("another", digest_), kSize);
}

TEST_F(KeptUploadsTest, ABodyOutlivesWhatIsKeptOfIt) {
  const auto dropped = keep("u", bytes_);
  const auto orphan = keep("v", bytes_);
  run(dropped->read());
  run(orphan->read());
  uploads_->drop("u");
  uploads_->drop("unknown");
  EXPECT_EQ(store_.ingests(), 1u);
  uploads_.reset();
  EXPECT_EQ(store_.ingests(), 0u);
  EXPECT_EQ(run(read_all(dropped)).bytes, bytes_.substr(kPiece));
  EXPECT_EQ(run(read_all(orphan)).bytes, bytes_.substr(kPiece));
  EXPECT_EQ(store_.begun(), 2u);
}

TEST_F(KeptUploadsTest, AnEmptyBlobIsNotKept) {
  send("u", "");
  EXPECT_EQ(finish("u", sha256_of("")), 0u);
}

// Requests of one upload come to whatever worker.
class SharedUploadsTest : public ::testing::Test {
 protected:
  void SetUp() override { workers_.start(); }
  void TearDown() override { workers_.stop(); }

  template <class T>
  static async::Task<std::optional<T>> as_optional(async::Task<T> task) {
    co_return co_await std::move(task);
  }
  template <class T>
  std::future<std::optional<T>> on(std::size_t worker, async::Task<T> task) {
    return boost::asio::co_spawn(workers_.executor(worker), as_optional(std::move(task)),
                                 boost::asio::use_future);
  }

  const std::string bytes_ = bytes_of_size(2'000'000);
  fairlead::testing::TemporaryDirectory directory_;
  std::unique_ptr<store::DiskBlobStore> store_ =
      store::DiskBlobStore::open_directory(directory_.path(), {.max_content = 3'000'000}).value();
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
  KeptUploads uploads_{services_};
};

TEST_F(SharedUploadsTest, ManyUploadsOnTwoWorkersAreKeptWhole) {
  constexpr std::size_t kUploads = 16;
  const auto text = [this](std::size_t i) { return std::to_string(i) + bytes_; };
  for (const std::size_t half : {0, 1}) {
    std::vector<std::future<std::optional<Received>>> sent;
    for (std::size_t i = 0; i < kUploads; ++i) {
      const std::string all = text(i);
      const std::string part = half == 0 ? all.substr(0, 700'000) : all.substr(700'000);
      sent.push_back(on((i + half) % 2, read_all(uploads_.keep("upload" + std::to_string(i),
                                                               std::make_shared<TextBody>(part)))));
    }
    for (auto& each : sent) EXPECT_FALSE(each.get()->error);
  }
  std::vector<std::future<std::optional<std::uint64_t>>> finished;
  const Source source{.registry_name = "reg", .repository = "team/app"};
  for (std::size_t i = 0; i < kUploads; ++i) {
    finished.push_back(
        on(i % 2, uploads_.finish("upload" + std::to_string(i), source, sha256_of(text(i)))));
  }
  for (std::size_t i = 0; i < kUploads; ++i) {
    EXPECT_EQ(finished[i].get(), text(i).size());
    const auto file = store_->open(sha256_of(text(i))).value();
    ASSERT_TRUE(file);
    EXPECT_EQ(file->size, text(i).size());
  }
}

TEST_F(SharedUploadsTest, DroppingAndConfirmingInBetweenIsHarmless) {
  std::vector<std::future<std::optional<Received>>> sent;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::string name = "upload" + std::to_string(i % 3);
    sent.push_back(on(i % 2, read_all(uploads_.keep(name, std::make_shared<TextBody>(bytes_)))));
    if (i % 5 == 0) uploads_.drop(name);
    if (i % 7 == 0) uploads_.confirm(name, i);
    uploads_.drop_idle();
  }
  for (auto& each : sent) EXPECT_EQ(each.get()->bytes, bytes_);
}

TEST_F(SharedUploadsTest, MoreThanTheWholeCacheMayHoldIsPassedOn) {
  space_.limit().set(3'000'000);
  const std::string large = bytes_ + bytes_;
  const auto body = uploads_.keep("u", std::make_shared<TextBody>(large));
  EXPECT_EQ(on(0, read_all(body)).get()->bytes, large);
  const Source source{.registry_name = "reg", .repository = "team/app"};
  EXPECT_EQ(on(0, uploads_.finish("u", source, sha256_of(large))).get(), 0u);
  EXPECT_EQ(space_.take_wanted(), 0u) << "no room would help";
}

}  // namespace
}  // namespace fairlead::cache
