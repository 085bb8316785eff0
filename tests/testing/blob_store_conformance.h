// SPDX-License-Identifier: Apache-2.0
// What every BlobStore does. An implementation's test instantiates the suite with a factory:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Disk, BlobStoreConformance, DiskStoreFactory);
// A Factory has store(), the store under test, empty at first, and lose(digest), which takes a blob
// away as somebody at the disk would. One that needs what is not always there also has missing():
// what that is, in words, or nullopt; then nothing else of it is used, and all is skipped.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "store/blob_store.h"

namespace fairlead::testing {

inline std::string read_all(int fd, std::uint64_t size) {
  std::string bytes(size, '\0');
  const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return bytes;
}

template <class Factory>
class BlobStoreConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if constexpr (requires { factory_.missing(); }) {
      if (const auto missing = factory_.missing()) GTEST_SKIP() << *missing;
    }
  }
  static oci::Digest digest_of(const std::string& bytes,
                               oci::DigestAlgorithm algorithm = oci::DigestAlgorithm::Sha256) {
    return oci::digest_of(algorithm, as_byte_view(bytes));
  }
  std::optional<std::string> stored(const oci::Digest& digest) {
    auto file = store().open(digest);
    EXPECT_TRUE(file) << file.error().context;
    if (!*file) return std::nullopt;
    return read_all((*file)->fd.get(), (*file)->size);
  }
  std::unique_ptr<store::Ingest> begin(const oci::Digest& digest,
                                       std::optional<std::uint64_t> size = {}) {
    auto ingest = store().begin(digest, size);
    EXPECT_TRUE(ingest) << ingest.error().context;
    return *std::move(ingest);
  }
  void put(const std::string& bytes) {
    const auto ingest = begin(digest_of(bytes), bytes.size());
    ASSERT_TRUE(ingest->write(as_byte_view(bytes)));
    ASSERT_TRUE(ingest->commit());
  }
  std::optional<store::Removal> remove(const oci::Digest& digest) {
    const auto removal = store().remove(digest);
    EXPECT_TRUE(removal) << removal.error().context;
    return removal ? std::optional(*removal) : std::nullopt;
  }
  std::map<oci::Digest, std::uint64_t> all() {
    std::map<oci::Digest, std::uint64_t> found;
    const auto visited = store().for_each(
        [&](const oci::Digest& digest, std::uint64_t size, WallTime) { found[digest] = size; });
    EXPECT_TRUE(visited) << visited.error().context;
    return found;
  }
  store::BlobStore& store() { return factory_.store(); }

  Factory factory_;
  const std::string bytes_ = std::string(100'000, 'a') + "end";
  const oci::Digest digest_ = digest_of(bytes_);
};
TYPED_TEST_SUITE_P(BlobStoreConformance);

TYPED_TEST_P(BlobStoreConformance, NothingIsVisibleBeforeTheCommitAndAllAfter) {
  EXPECT_FALSE(this->stored(this->digest_));
  const auto ingest = this->begin(this->digest_, this->bytes_.size());
  EXPECT_FALSE(this->stored(this->digest_));
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_).first(10)));
  EXPECT_FALSE(this->stored(this->digest_));
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_).subspan(10)));
  EXPECT_FALSE(this->stored(this->digest_));
  ASSERT_TRUE(ingest->commit());
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, TheGrowingFileIsReadable) {
  const auto ingest = this->begin(this->digest_);
  ASSERT_TRUE(ingest->write(as_byte_view("first")));
  EXPECT_EQ(read_all(ingest->fd(), 5), "first");
  ASSERT_TRUE(ingest->write(as_byte_view("second")));
  EXPECT_EQ(read_all(ingest->fd(), 11), "firstsecond");
}

TYPED_TEST_P(BlobStoreConformance, WhatIsDestroyedUncommittedWasNeverThere) {
  {
    const auto ingest = this->begin(this->digest_, this->bytes_.size());
    ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_)));
  }
  EXPECT_FALSE(this->stored(this->digest_));
}

TYPED_TEST_P(BlobStoreConformance, WhatIsDiscardedStaysReadableForThoseWhoFollow) {
  const auto ingest = this->begin(this->digest_, this->bytes_.size());
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_)));
  ingest->discard();
  EXPECT_EQ(read_all(ingest->fd(), this->bytes_.size()), this->bytes_);
  EXPECT_FALSE(this->stored(this->digest_));
}

TYPED_TEST_P(BlobStoreConformance, TwoIngestsOfOneContentDoNotDisturbEachOther) {
  const auto first = this->begin(this->digest_);
  const auto second = this->begin(this->digest_);
  ASSERT_TRUE(first->write(as_byte_view(this->bytes_)));
  ASSERT_TRUE(second->write(as_byte_view("something else")));
  ASSERT_TRUE(first->commit());
  second->discard();
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);

  const auto third = this->begin(this->digest_);
  ASSERT_TRUE(third->write(as_byte_view(this->bytes_)));
  ASSERT_TRUE(third->commit());
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, WhatWasBegunWithoutANameIsThereUnderTheOneItGot) {
  auto ingest = this->store().begin_unnamed().value();
  const auto other = this->store().begin_unnamed().value();
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_).first(10)));
  ASSERT_TRUE(other->write(as_byte_view("something else")));
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_).subspan(10)));
  EXPECT_EQ(read_all(ingest->fd(), this->bytes_.size()), this->bytes_);
  EXPECT_FALSE(ingest->commit()) << "as what?";
  EXPECT_TRUE(this->all().empty());
  ingest->name(this->digest_);
  EXPECT_FALSE(this->stored(this->digest_));
  ASSERT_TRUE(ingest->commit());
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
  EXPECT_EQ(this->all().size(), 1u);
  EXPECT_EQ(this->remove(this->digest_), store::Removal::InUse);
  ingest.reset();
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, AnOpenBlobOutlivesItsLoss) {
  this->put(this->bytes_);
  const auto file = this->store().open(this->digest_);
  ASSERT_TRUE(file && *file);
  this->factory_.lose(this->digest_);
  EXPECT_FALSE(this->stored(this->digest_));
  EXPECT_EQ(read_all((*file)->fd.get(), (*file)->size), this->bytes_);
  this->put(this->bytes_);
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, KnowsBothAlgorithms) {
  const auto sha512 = this->digest_of(this->bytes_, oci::DigestAlgorithm::Sha512);
  const auto ingest = this->begin(sha512, this->bytes_.size());
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_)));
  ASSERT_TRUE(ingest->commit());
  EXPECT_EQ(this->stored(sha512), this->bytes_);
  EXPECT_FALSE(this->stored(this->digest_));
}

TYPED_TEST_P(BlobStoreConformance, HoldsEmptyContent) {
  this->put("");
  EXPECT_EQ(this->stored(this->digest_of("")), "");
}

TYPED_TEST_P(BlobStoreConformance, AContentShorterThanReservedHasItsOwnSize) {
  const auto ingest = this->begin(this->digest_, 10 * this->bytes_.size());
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_)));
  ASSERT_TRUE(ingest->commit());
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, WhatIsRemovedIsGoneAndMayComeAgain) {
  this->put(this->bytes_);
  EXPECT_EQ(this->remove(this->digest_), store::Removal::Removed);
  EXPECT_FALSE(this->stored(this->digest_));
  EXPECT_EQ(this->remove(this->digest_), store::Removal::Absent);
  this->put(this->bytes_);
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, WhatIsReadIsNotRemovedBeforeTheLastReaderIsDone) {
  this->put(this->bytes_);
  auto first = this->store().open(this->digest_).value();
  auto second = this->store().open(this->digest_).value();
  EXPECT_EQ(this->remove(this->digest_), store::Removal::InUse);
  first.reset();
  EXPECT_EQ(this->remove(this->digest_), store::Removal::InUse);
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
  second.reset();
  EXPECT_EQ(this->remove(this->digest_), store::Removal::Removed);
}

TYPED_TEST_P(BlobStoreConformance, WhatIsOnlyInspectedMayBeRemoved) {
  EXPECT_FALSE(this->store().inspect(this->digest_).value());
  this->put(this->bytes_);
  const auto file = this->store().inspect(this->digest_).value();
  ASSERT_TRUE(file);
  EXPECT_EQ(this->remove(this->digest_), store::Removal::Removed);
  EXPECT_EQ(read_all(file->fd.get(), file->size), this->bytes_);
}

// Readers that joined while it was being filled hang on the ingest.
TYPED_TEST_P(BlobStoreConformance, WhatWasJustMadeIsInUseWhileItsIngestLives) {
  auto ingest = this->begin(this->digest_, this->bytes_.size());
  EXPECT_EQ(this->remove(this->digest_), store::Removal::Absent);
  ASSERT_TRUE(ingest->write(as_byte_view(this->bytes_)));
  ASSERT_TRUE(ingest->commit());
  EXPECT_EQ(this->remove(this->digest_), store::Removal::InUse);
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
  ingest.reset();
  EXPECT_EQ(this->remove(this->digest_), store::Removal::Removed);
}

TYPED_TEST_P(BlobStoreConformance, WhatIsDamagedIsRemovedThoughItIsRead) {
  this->put(this->bytes_);
  const auto file = this->store().open(this->digest_).value();
  ASSERT_TRUE(file);
  EXPECT_EQ(this->store().remove_damaged(this->digest_, *file), store::Removal::Removed);
  EXPECT_FALSE(this->stored(this->digest_));
  EXPECT_EQ(read_all(file->fd.get(), file->size), this->bytes_);
  EXPECT_EQ(this->store().remove_damaged(this->digest_, *file), store::Removal::Absent);
}

TYPED_TEST_P(BlobStoreConformance, WhatTookADamagedOnesPlaceStays) {
  this->put(this->bytes_);
  const auto damaged = this->store().open(this->digest_).value();
  ASSERT_TRUE(damaged);
  this->factory_.lose(this->digest_);
  this->put(this->bytes_);
  EXPECT_EQ(this->store().remove_damaged(this->digest_, *damaged), store::Removal::InUse);
  EXPECT_EQ(this->stored(this->digest_), this->bytes_);
}

TYPED_TEST_P(BlobStoreConformance, AllAreVisitedWithTheirSizesAndNothingElse) {
  EXPECT_TRUE(this->all().empty());
  std::map<oci::Digest, std::uint64_t> expected;
  for (int i = 0; i < 50; ++i) {
    const std::string bytes(static_cast<std::size_t>(i) * 7, 'x');
    this->put(bytes);
    expected[this->digest_of(bytes)] = bytes.size();
  }
  const auto unfinished = this->begin(this->digest_);
  ASSERT_TRUE(unfinished->write(as_byte_view("not yet")));
  EXPECT_EQ(this->all(), expected);
}

TYPED_TEST_P(BlobStoreConformance, WhatIsVisitedMayBeOpenedAndRemoved) {
  for (int i = 0; i < 20; ++i) this->put("content " + std::to_string(i));
  std::size_t removed = 0;
  ASSERT_TRUE(this->store().for_each([&](const oci::Digest& digest, std::uint64_t, WallTime) {
    EXPECT_TRUE(this->stored(digest));
    removed += this->remove(digest) == store::Removal::Removed ? 1 : 0;
  }));
  EXPECT_EQ(removed, 20u);
  EXPECT_TRUE(this->all().empty());
}

TYPED_TEST_P(BlobStoreConformance, ManyThreadsUseItAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 10; ++i) {
        const std::string bytes = "content " + std::to_string(i);
        this->put(bytes);
        EXPECT_EQ(this->stored(this->digest_of(bytes)), bytes);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

REGISTER_TYPED_TEST_SUITE_P(
    BlobStoreConformance, NothingIsVisibleBeforeTheCommitAndAllAfter, TheGrowingFileIsReadable,
    WhatIsDestroyedUncommittedWasNeverThere, WhatIsDiscardedStaysReadableForThoseWhoFollow,
    TwoIngestsOfOneContentDoNotDisturbEachOther, WhatWasBegunWithoutANameIsThereUnderTheOneItGot,
    AnOpenBlobOutlivesItsLoss, KnowsBothAlgorithms, HoldsEmptyContent,
    AContentShorterThanReservedHasItsOwnSize, WhatIsRemovedIsGoneAndMayComeAgain,
    WhatIsReadIsNotRemovedBeforeTheLastReaderIsDone, WhatIsOnlyInspectedMayBeRemoved,
    WhatWasJustMadeIsInUseWhileItsIngestLives, WhatIsDamagedIsRemovedThoughItIsRead,
    WhatTookADamagedOnesPlaceStays, AllAreVisitedWithTheirSizesAndNothingElse,
    WhatIsVisitedMayBeOpenedAndRemoved, ManyThreadsUseItAtOnce);

}  // namespace fairlead::testing
