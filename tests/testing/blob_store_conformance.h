// SPDX-License-Identifier: Apache-2.0
// What every BlobStore does. An implementation's test instantiates the suite with a factory:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Disk, BlobStoreConformance, DiskStoreFactory);
// A Factory has store(), the store under test, empty at first, and remove(digest), which takes a
// blob away as an operator or an evictor would.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

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

TYPED_TEST_P(BlobStoreConformance, AnOpenBlobOutlivesItsRemoval) {
  this->put(this->bytes_);
  const auto file = this->store().open(this->digest_);
  ASSERT_TRUE(file && *file);
  this->factory_.remove(this->digest_);
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

REGISTER_TYPED_TEST_SUITE_P(BlobStoreConformance, NothingIsVisibleBeforeTheCommitAndAllAfter,
                            TheGrowingFileIsReadable, WhatIsDestroyedUncommittedWasNeverThere,
                            WhatIsDiscardedStaysReadableForThoseWhoFollow,
                            TwoIngestsOfOneContentDoNotDisturbEachOther,
                            AnOpenBlobOutlivesItsRemoval, KnowsBothAlgorithms, HoldsEmptyContent,
                            AContentShorterThanReservedHasItsOwnSize, ManyThreadsUseItAtOnce);

}  // namespace fairlead::testing
