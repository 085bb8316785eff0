// SPDX-License-Identifier: Apache-2.0
// What every Index does. An implementation's test instantiates the suite with a factory:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, IndexConformance, MemoryIndexFactory);
// where Factory{}.make() returns a std::unique_ptr<index::Index>, empty.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "index/index.h"

namespace fairlead::testing {

inline oci::Digest digest_of_text(const std::string& text) {
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(text));
}

template <class Factory>
class IndexConformance : public ::testing::Test {
 protected:
  Factory factory_;
  std::unique_ptr<index::Index> index_ = factory_.make();
  const oci::Digest digest_ = digest_of_text("content");
  const oci::Digest other_ = digest_of_text("other content");
};
TYPED_TEST_SUITE_P(IndexConformance);

TYPED_TEST_P(IndexConformance, NothingIsKnownAtFirst) {
  EXPECT_FALSE(this->index_->has_link("reg", "team/app", this->digest_));
  EXPECT_FALSE(this->index_->content(this->digest_));
}

TYPED_TEST_P(IndexConformance, ALinkHoldsForItsRegistryRepositoryAndDigestOnly) {
  this->index_->add_link("reg", "team/app", this->digest_);
  this->index_->add_link("reg", "team/app", this->digest_);
  EXPECT_TRUE(this->index_->has_link("reg", "team/app", this->digest_));
  EXPECT_FALSE(this->index_->has_link("other", "team/app", this->digest_));
  EXPECT_FALSE(this->index_->has_link("reg", "team/app2", this->digest_));
  EXPECT_FALSE(this->index_->has_link("reg", "team", this->digest_));
  EXPECT_FALSE(this->index_->has_link("reg", "team/app", this->other_));
}

TYPED_TEST_P(IndexConformance, PartsOfALinkAreNotMixedUp) {
  this->index_->add_link("reg", "team/app", this->digest_);
  EXPECT_FALSE(this->index_->has_link("reg/team", "app", this->digest_));
  EXPECT_FALSE(this->index_->has_link("", "reg/team/app", this->digest_));
}

TYPED_TEST_P(IndexConformance, ALinkIsNoContentAndAContentNoLink) {
  this->index_->add_link("reg", "team/app", this->digest_);
  this->index_->put_content(this->other_, {"application/json", 2});
  EXPECT_FALSE(this->index_->content(this->digest_));
  EXPECT_FALSE(this->index_->has_link("reg", "team/app", this->other_));
}

TYPED_TEST_P(IndexConformance, TheLastContentStands) {
  this->index_->put_content(this->digest_, {"application/old", 1});
  this->index_->put_content(this->digest_, {"application/new", 2});
  const auto info = this->index_->content(this->digest_);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->media_type, "application/new");
  EXPECT_EQ(info->size, 2u);
}

TYPED_TEST_P(IndexConformance, ManyThreadsUseItAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 200; ++i) {
        const auto digest = digest_of_text(std::to_string(i));
        const std::string repository = "team/" + std::to_string(t);
        this->index_->add_link("reg", repository, digest);
        this->index_->put_content(digest, {"application/json", static_cast<std::uint64_t>(i)});
        EXPECT_TRUE(this->index_->has_link("reg", repository, digest));
        EXPECT_EQ(this->index_->content(digest)->size, static_cast<std::uint64_t>(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

REGISTER_TYPED_TEST_SUITE_P(IndexConformance, NothingIsKnownAtFirst,
                            ALinkHoldsForItsRegistryRepositoryAndDigestOnly,
                            PartsOfALinkAreNotMixedUp, ALinkIsNoContentAndAContentNoLink,
                            TheLastContentStands, ManyThreadsUseItAtOnce);

}  // namespace fairlead::testing
