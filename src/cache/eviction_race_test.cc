// SPDX-License-Identifier: Apache-2.0
// Eviction while content is being filled and read, on a real disk, at random.
//
// Fillers publish contents in the order in which a fill does: the file, then the row, then the
// end of the ingest. Readers open what they like and compare every byte. Meanwhile an evictor
// keeps the store at a fraction of it all; in the second test scrubbing, verification and
// reconciliation go on as well. At the end every row has its file and every file its row.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cache/bookkeeper.h"
#include "cache/evictor.h"
#include "cache/reconcile.h"
#include "cache/scrubber.h"
#include "cache/stored_fixture.h"
#include "cache/verification.h"
#include "index/memory_index.h"
#include "store/disk_blob_store.h"
#include "telemetry/log.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {
namespace {

struct Item {
  std::string bytes;
  oci::Digest digest;
  std::string media_type;
  std::vector<oci::Digest> names;
};

// Blobs of up to 64 KiB, and for every few an image that names them, blobs shared.
std::vector<Item> make_items(std::mt19937_64& random, int images) {
  std::vector<Item> items;
  for (int image = 0; image < images; ++image) {
    std::vector<oci::Digest> layers;
    for (int layer = 0; layer < 3; ++layer) {
      std::string bytes = std::to_string(random());
      const std::size_t size = random() % 65'536;
      while (bytes.size() < size) bytes += bytes;
      layers.push_back(sha256_of(bytes));
      items.push_back({std::move(bytes), layers.back(), {}, {}});
    }
    if (items.size() > 8) layers.push_back(items[random() % (items.size() - 4)].digest);
    std::string text = image_of(layers);
    const auto digest = sha256_of(text);
    items.push_back({std::move(text), digest, kImageType, std::move(layers)});
  }
  return items;
}

// Stays between unlinking a file and taking its row away for a while, now and then: the moment in
// which a fill of the same content does most harm.
class HesitantStore final : public store::BlobStore {
 public:
  explicit HesitantStore(store::BlobStore& store) : store_(store) {}

  Result<std::optional<store::BlobFile>> open(const oci::Digest& digest) override {
    return store_.open(digest);
  }
  Result<std::unique_ptr<store::Ingest>> begin(const oci::Digest& digest,
                                               std::optional<std::uint64_t> size) override {
    return store_.begin(digest, size);
  }
  Result<std::unique_ptr<store::Ingest>> begin_unnamed() override { return store_.begin_unnamed(); }
  Result<std::optional<store::BlobFile>> inspect(const oci::Digest& digest) override {
    return store_.inspect(digest);
  }
  Result<store::Removal> remove(const oci::Digest& digest) override {
    auto removal = store_.remove(digest);
    if (++removals_ % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return removal;
  }
  Result<store::Removal> remove_damaged(const oci::Digest& digest,
                                        const store::BlobFile& found) override {
    return store_.remove_damaged(digest, found);
  }
  Result<void> check_in_place() override { return store_.check_in_place(); }
  Result<void> for_each(const BlobVisitor& visit) override { return store_.for_each(visit); }

 private:
  store::BlobStore& store_;
  std::atomic<unsigned> removals_{0};
};

class EvictionRaceTest : public ::testing::Test {
 protected:
  static constexpr int kImages = 60;
  static constexpr int kFillers = 2;
  static constexpr int kReaders = 2;
  static constexpr int kFillsEach = 1200;

  EvictionRaceTest() { std::cout << "seed " << seed_ << std::endl; }

  void fill(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kFillsEach && !HasFailure(); ++i) {
      const Item& item = items_[random() % items_.size()];
      const auto file = store_->open(item.digest);
      if (file && *file && random() % 4 != 0) continue;  // else two fills of one content
      const auto ingest = store_->begin(item.digest, item.bytes.size());
      ASSERT_TRUE(ingest) << ingest.error().context;
      ASSERT_TRUE((*ingest)->write(as_byte_view(item.bytes)));
      ASSERT_TRUE((*ingest)->commit());
      index_.add_stored(item.digest, item.media_type, item.bytes.size(), item.names, clock_.wall());
      index_.add_link("reg", "team", item.digest);
    }
    --fillers_left_;
  }

  void read(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    while (fillers_left_ > 0 && !HasFailure()) {
      const Item& item = items_[random() % items_.size()];
      const auto file = store_->open(item.digest);
      ASSERT_TRUE(file) << file.error().context;
      if (!*file) continue;
      index_.touch(item.digest, clock_.wall());
      std::string bytes(item.bytes.size() + 1, '\0');
      std::size_t length = 0;
      while (length < bytes.size()) {
        const std::size_t part =
            std::min<std::size_t>(1 + random() % 20'000, bytes.size() - length);
        const ssize_t n =
            ::pread((*file)->fd.get(), bytes.data() + length, part, static_cast<off_t>(length));
        ASSERT_GE(n, 0);
        if (n == 0) break;
        length += static_cast<std::size_t>(n);
        if (random() % 8 == 0) std::this_thread::yield();
      }
      bytes.resize(length);
      ASSERT_TRUE(bytes == item.bytes) << item.digest.str();
      ++reads_;
    }
  }

  void evict() {
    Evictor evictor(index_, bookkeeper_, {.max_bytes = max_bytes_}, clock_, log_);
    for (std::uint64_t round = 0; fillers_left_ > 0; ++round) {
      const auto evicted = round % 8 == 0 ? evictor.make_room(max_bytes_ / 4) : evictor.run();
      ASSERT_TRUE(evicted) << evicted.error().context;
      evicted_ += evicted->contents;
    }
  }

  void run(const std::vector<std::function<void()>>& others) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kFillers; ++i) threads.emplace_back([this, i] { fill(seed_ + 1 + i); });
    for (int i = 0; i < kReaders; ++i) threads.emplace_back([this, i] { read(seed_ + 100 + i); });
    threads.emplace_back([this] { evict(); });
    for (const auto& other : others) threads.emplace_back(other);
    for (auto& thread : threads) thread.join();
    EXPECT_GT(evicted_, 0u);
    EXPECT_GT(reads_, 0u);
  }

  // Every row has its file, every file its row, of the same size.
  void expect_agreement() {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    ASSERT_TRUE(store_->for_each([&](const oci::Digest& digest, std::uint64_t size, WallTime) {
      ++files;
      bytes += size;
      const auto row = index_.content(digest);
      ASSERT_TRUE(row && row->is_stored) << "a file without row: " << digest.str();
      EXPECT_EQ(row->size, size);
    }));
    index_.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo&) {
      EXPECT_TRUE(store_->inspect(digest).value()) << "a row without file: " << digest.str();
    });
    EXPECT_EQ(index_.totals().contents, files);
    EXPECT_EQ(index_.totals().bytes, bytes);
  }

  const std::uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  const std::vector<Item> items_ = make_items(random_, kImages);
  const std::uint64_t max_bytes_ = [this] {
    std::uint64_t all = 0;
    for (const auto& item : items_) all += item.bytes.size();
    return all / 5;
  }();

  fairlead::testing::TemporaryDirectory directory_;
  std::unique_ptr<store::DiskBlobStore> store_ =
      store::DiskBlobStore::open_directory(directory_.path()).value();
  HesitantStore hesitant_{*store_};
  index::MemoryIndex index_;
  SystemClock clock_;
  // Evictions and damage are logged by the hundred.
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  Bookkeeper bookkeeper_{index_, hesitant_, clock_};
  std::atomic<int> fillers_left_{kFillers};
  std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::uint64_t> evicted_{0};
};

TEST_F(EvictionRaceTest, FilesAndRowsAgreeAndReadersGetTheirBytes) {
  run({});
  expect_agreement();
  std::uint64_t contents = 0;
  const auto verified = verify_all(index_, *store_, remove_with(bookkeeper_, log_), log_,
                                   [&](const ScrubCounts& counts) { contents = counts.contents; });
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->damaged, 0u);
  EXPECT_EQ(contents, index_.totals().contents);
}

TEST_F(EvictionRaceTest, AlsoWhileTheStoreIsScrubbedAndReconciled) {
  const auto reconciler = [this] {
    while (fillers_left_ > 0) {
      const auto found = reconcile(index_, *store_, bookkeeper_, log_);
      ASSERT_TRUE(found) << found.error().context;
      EXPECT_EQ(found->damaged + found->failed, 0u);
    }
  };
  const auto verifier = [this] {
    while (fillers_left_ > 0) {
      const auto counts = verify_all(index_, *store_, remove_with(bookkeeper_, log_), log_);
      ASSERT_TRUE(counts) << counts.error().context;
      EXPECT_EQ(counts->damaged + counts->failed, 0u);
    }
  };
  const auto scrub = [this] {
    Scrubber scrubber(index_, *store_, bookkeeper_, {.period = std::chrono::seconds(1)}, clock_,
                      log_);
    while (fillers_left_ > 0) scrubber.step();
    EXPECT_EQ(scrubber.counts().damaged + scrubber.counts().failed, 0u);
  };
  run({reconciler, verifier, scrub});
  expect_agreement();
}

}  // namespace
}  // namespace fairlead::cache
