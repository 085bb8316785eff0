// SPDX-License-Identifier: Apache-2.0
// What every Index does. An implementation's test instantiates the suite with a factory:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, IndexConformance, MemoryIndexFactory);
// where Factory{}.make() returns a std::unique_ptr<index::Index>, empty.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "index/index.h"

namespace fairlead::testing {

inline oci::Digest digest_of_text(const std::string& text) {
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(text));
}

inline WallTime at(int seconds) { return WallTime(std::chrono::seconds(1'700'000'000 + seconds)); }

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

TYPED_TEST_P(IndexConformance, ALinkCanBeTakenBack) {
  this->index_->add_link("reg", "team/app", this->digest_);
  this->index_->add_link("reg", "team/other", this->digest_);
  this->index_->add_stored(this->digest_, "", 1, {}, at(1));
  this->index_->remove_link("reg", "team/app", this->digest_);
  this->index_->remove_link("reg", "team/unknown", this->digest_);
  EXPECT_FALSE(this->index_->has_link("reg", "team/app", this->digest_));
  EXPECT_TRUE(this->index_->has_link("reg", "team/other", this->digest_));
  EXPECT_TRUE(this->index_->content(this->digest_));
}

TYPED_TEST_P(IndexConformance, PartsOfALinkAreNotMixedUp) {
  this->index_->add_link("reg", "team/app", this->digest_);
  EXPECT_FALSE(this->index_->has_link("reg/team", "app", this->digest_));
  EXPECT_FALSE(this->index_->has_link("", "reg/team/app", this->digest_));
}

TYPED_TEST_P(IndexConformance, ALinkIsNoContentAndAContentNoLink) {
  this->index_->add_link("reg", "team/app", this->digest_);
  this->index_->describe(this->other_, "application/json", 2);
  EXPECT_FALSE(this->index_->content(this->digest_));
  EXPECT_FALSE(this->index_->has_link("reg", "team/app", this->other_));
}

TYPED_TEST_P(IndexConformance, TheLastDescriptionStands) {
  this->index_->describe(this->digest_, "application/old", 1);
  this->index_->describe(this->digest_, "application/new", 2);
  const auto info = this->index_->content(this->digest_);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->media_type, "application/new");
  EXPECT_EQ(info->size, 2u);
  EXPECT_FALSE(info->is_stored);
  EXPECT_EQ(this->index_->totals().contents, 0u);
}

TYPED_TEST_P(IndexConformance, StoredContentIsCountedOnceAndForgottenWithItsLinks) {
  this->index_->add_link("reg", "team/app", this->digest_);
  this->index_->describe(this->digest_, "application/json", 7);
  this->index_->add_stored(this->digest_, "", 100, {this->other_}, at(10));
  this->index_->add_stored(this->digest_, "", 120, {this->other_}, at(11));
  const auto info = this->index_->content(this->digest_);
  ASSERT_TRUE(info && info->is_stored);
  EXPECT_EQ(info->media_type, "application/json") << "an empty type says nothing";
  EXPECT_EQ(info->size, 120u);
  EXPECT_EQ(info->last_use, at(11));
  EXPECT_EQ(info->names, std::vector{this->other_});
  EXPECT_EQ(this->index_->totals().bytes, 120u);
  EXPECT_EQ(this->index_->totals().contents, 1u);

  this->index_->describe(this->digest_, "application/json", 5);
  EXPECT_EQ(this->index_->content(this->digest_)->size, 120u) << "the file says it better";

  this->index_->remove_stored(this->digest_);
  EXPECT_FALSE(this->index_->content(this->digest_));
  EXPECT_FALSE(this->index_->has_link("reg", "team/app", this->digest_));
  EXPECT_EQ(this->index_->totals().bytes, 0u);
  EXPECT_EQ(this->index_->totals().contents, 0u);
}

TYPED_TEST_P(IndexConformance, WhatIsUnstoredKeepsItsLinks) {
  this->index_->unstore(this->digest_);  // nothing to do
  this->index_->add_link("reg", "team/app", this->digest_);
  this->index_->add_stored(this->digest_, "application/json", 100, {this->other_}, at(10));
  this->index_->unstore(this->digest_);
  const auto info = this->index_->content(this->digest_);
  ASSERT_TRUE(info);
  EXPECT_FALSE(info->is_stored);
  EXPECT_EQ(info->media_type, "application/json");
  EXPECT_EQ(info->size, 100u);
  EXPECT_TRUE(this->index_->has_link("reg", "team/app", this->digest_));
  EXPECT_EQ(this->index_->totals().bytes, 0u);
  EXPECT_EQ(this->index_->totals().contents, 0u);
  this->index_->add_stored(this->digest_, "", 100, {}, at(11));
  EXPECT_EQ(this->index_->totals().contents, 1u);
  EXPECT_EQ(this->index_->content(this->digest_)->media_type, "application/json");
}

// The attack (CVE-2021-41190 and its kin): another repository answers for the digest of an image
// with another media type, and all clients take the same bytes for an index.
TYPED_TEST_P(IndexConformance, TheTypeOfStoredContentStands) {
  this->index_->add_stored(this->digest_, "application/right", 100, {}, at(10));
  this->index_->describe(this->digest_, "application/wrong", 100);
  this->index_->describe(this->digest_, "", 100);
  this->index_->add_stored(this->digest_, "application/wrong", 100, {}, at(11));
  EXPECT_EQ(this->index_->content(this->digest_)->media_type, "application/right");
  this->index_->add_stored(this->other_, "", 100, {}, at(10));
  this->index_->describe(this->other_, "application/told", 100);
  EXPECT_EQ(this->index_->content(this->other_)->media_type, "application/told");
}

TYPED_TEST_P(IndexConformance, WhatWasStoredWithoutATypeGetsOne) {
  this->index_->add_stored(this->digest_, "", 100, {}, at(10));
  this->index_->add_stored(this->digest_, "application/told", 100, {}, at(11));
  EXPECT_EQ(this->index_->content(this->digest_)->media_type, "application/told");
  this->index_->describe(this->other_, "application/old", 100);
  this->index_->add_stored(this->other_, "application/new", 100, {}, at(11));
  EXPECT_EQ(this->index_->content(this->other_)->media_type, "application/new");
}

TYPED_TEST_P(IndexConformance, AUseOfAManifestIsAUseOfAllThatItNames) {
  const auto index = digest_of_text("index");
  const auto manifest = digest_of_text("manifest");
  const auto layer = digest_of_text("layer");
  const auto other_layer = digest_of_text("other layer");
  for (const auto& digest : {layer, other_layer}) {
    this->index_->add_stored(digest, "", 1, {}, at(0));
  }
  this->index_->add_stored(manifest, "m", 1, {layer}, at(0));
  this->index_->add_stored(index, "i", 1, {manifest, digest_of_text("not stored")}, at(0));
  this->index_->touch(index, at(50));
  for (const auto& digest : {index, manifest, layer}) {
    EXPECT_EQ(this->index_->content(digest)->last_use, at(50));
  }
  EXPECT_EQ(this->index_->content(other_layer)->last_use, at(0));

  this->index_->touch(layer, at(60));
  this->index_->touch(manifest, at(40));
  EXPECT_EQ(this->index_->content(layer)->last_use, at(60));
  EXPECT_EQ(this->index_->content(manifest)->last_use, at(50)) << "a clock that jumped back";

  this->index_->add_stored(digest_of_text("newer"), "m", 1, {other_layer}, at(70));
  EXPECT_EQ(this->index_->content(other_layer)->last_use, at(70));
}

TYPED_TEST_P(IndexConformance, VisitsWhatIsStored) {
  this->index_->add_stored(this->digest_, "", 3, {}, at(1));
  this->index_->describe(this->other_, "m", 9);
  std::vector<oci::Digest> seen;
  this->index_->for_each_stored([&](const oci::Digest& digest, const index::ContentInfo& info) {
    seen.push_back(digest);
    EXPECT_EQ(info.size, 3u);
  });
  EXPECT_EQ(seen, std::vector{this->digest_});

  this->index_->add_link("reg", "a/b", this->digest_);
  std::vector<std::string> links;
  this->index_->for_each_link(
      [&](std::string_view registry, std::string_view repository, const oci::Digest& digest) {
        links.push_back(std::string(registry) + " " + std::string(repository) + " " + digest.str());
      });
  EXPECT_EQ(links, std::vector{"reg a/b " + this->digest_.str()});
}

TYPED_TEST_P(IndexConformance, TagsAreKeptByRepositoryNameAndVariant) {
  const index::TagKey key{"reg", "team/app", "latest", ""};
  EXPECT_FALSE(this->index_->tag(key));
  this->index_->put_tag(
      key, {.digest = this->digest_, .media_type = "m", .size = 5, .etag = "e", .checked = at(3)});
  const auto info = this->index_->tag(key);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->digest, this->digest_);
  EXPECT_EQ(info->media_type, "m");
  EXPECT_EQ(info->size, 5u);
  EXPECT_EQ(info->etag, "e");
  EXPECT_EQ(info->checked, at(3));
  EXPECT_FALSE(this->index_->tag({"reg", "team/app", "latest", "application/x"}));
  EXPECT_FALSE(this->index_->tag({"reg", "team", "app/latest", ""}));

  this->index_->put_tag(
      key, {.digest = this->other_, .media_type = "", .size = {}, .etag = "", .checked = at(4)});
  EXPECT_EQ(this->index_->tag(key)->digest, this->other_);
  EXPECT_FALSE(this->index_->tag(key)->size);
  int visited = 0;
  this->index_->for_each_tag([&](const index::TagKey& visited_key, const index::TagInfo& tag) {
    ++visited;
    EXPECT_EQ(visited_key.repository, "team/app");
    EXPECT_EQ(visited_key.tag, "latest");
    EXPECT_EQ(visited_key.variant, "");
    EXPECT_EQ(tag.digest, this->other_);
  });
  EXPECT_EQ(visited, 1);
  this->index_->remove_tag(key);
  EXPECT_FALSE(this->index_->tag(key));
}

TYPED_TEST_P(IndexConformance, ATagIsRemovedInAllItsVariants) {
  const auto put = [this](const char* repository, const char* tag, const char* variant) {
    this->index_->put_tag({"reg", repository, tag, variant}, {.digest = this->digest_});
  };
  put("team/app", "v1", "");
  put("team/app", "v1", "application/x");
  put("team/app", "v1", "cooldown=1ms;");
  put("team/app", "v10", "");
  put("team/app", "v", "");
  put("team/app2", "v1", "");
  EXPECT_EQ(this->index_->variants("reg", "team/app", "v1"),
            (std::vector<std::string>{"", "application/x", "cooldown=1ms;"}));
  EXPECT_TRUE(this->index_->variants("reg", "team/app", "v2").empty());

  this->index_->remove_tags("reg", "team/app", "v1");
  this->index_->remove_tags("reg", "team/app", "unknown");
  EXPECT_TRUE(this->index_->variants("reg", "team/app", "v1").empty());
  EXPECT_FALSE(this->index_->tag({"reg", "team/app", "v1", "application/x"}));
  EXPECT_TRUE(this->index_->tag({"reg", "team/app", "v10", ""}));
  EXPECT_TRUE(this->index_->tag({"reg", "team/app", "v", ""}));
  EXPECT_TRUE(this->index_->tag({"reg", "team/app2", "v1", ""}));
}

TYPED_TEST_P(IndexConformance, TheTagsThatMeanADigestAreRemoved) {
  const auto put = [this](const char* repository, const char* tag, const char* variant,
                          const oci::Digest& digest) {
    this->index_->put_tag({"reg", repository, tag, variant}, {.digest = digest});
  };
  put("team/app", "a", "", this->digest_);
  put("team/app", "a", "application/x", this->other_);
  put("team/app", "b", "", this->other_);
  put("team/app", "c", "", this->digest_);
  put("team/app", "c", "application/x", this->digest_);
  put("team/app/sub", "a", "", this->digest_);
  EXPECT_EQ(this->index_->remove_tags_of("reg", "team/app", this->digest_),
            (std::vector<std::string>{"a", "c"}));
  EXPECT_TRUE(this->index_->variants("reg", "team/app", "a").empty()) << "none is as it was";
  EXPECT_TRUE(this->index_->variants("reg", "team/app", "c").empty());
  EXPECT_TRUE(this->index_->tag({"reg", "team/app", "b", ""}));
  EXPECT_TRUE(this->index_->tag({"reg", "team/app/sub", "a", ""}));
  EXPECT_TRUE(this->index_->remove_tags_of("reg", "team/app", this->digest_).empty());
}

TYPED_TEST_P(IndexConformance, TheFirstSightStands) {
  EXPECT_FALSE(this->index_->seen("reg", "team/app", this->digest_));
  EXPECT_EQ(this->index_->first_seen("reg", "team/app", this->digest_, at(5)), at(5));
  EXPECT_EQ(this->index_->first_seen("reg", "team/app", this->digest_, at(9)), at(5));
  EXPECT_EQ(this->index_->seen("reg", "team/app", this->digest_), at(5));
  EXPECT_FALSE(this->index_->seen("reg", "team/other", this->digest_));
  this->index_->remove_stored(this->digest_);
  EXPECT_EQ(this->index_->seen("reg", "team/app", this->digest_), at(5));
}

// The clock was ahead once, and is right again.
TYPED_TEST_P(IndexConformance, AFirstSightInTheFutureIsPutRight) {
  this->index_->first_seen("reg", "team/app", this->digest_, at(1000));
  EXPECT_EQ(this->index_->first_seen("reg", "team/app", this->digest_, at(900)), at(900));
  EXPECT_EQ(this->index_->seen("reg", "team/app", this->digest_), at(1000)) << "clocks differ";
  EXPECT_EQ(this->index_->first_seen("reg", "team/app", this->digest_, at(600)), at(600));
  EXPECT_EQ(this->index_->first_seen("reg", "team/app", this->digest_, at(2000)), at(600));
}

TYPED_TEST_P(IndexConformance, AUseInTheFutureIsPutRight) {
  this->index_->add_stored(this->other_, "", 1, {}, at(1000));
  this->index_->add_stored(this->digest_, "m", 1, {this->other_}, at(1000));
  this->index_->touch(this->digest_, at(800));
  EXPECT_EQ(this->index_->content(this->digest_)->last_use, at(1000)) << "clocks differ";
  this->index_->touch(this->digest_, at(600));
  EXPECT_EQ(this->index_->content(this->digest_)->last_use, at(600));
  EXPECT_EQ(this->index_->content(this->other_)->last_use, at(600));
  this->index_->touch(this->digest_, at(610));
  EXPECT_EQ(this->index_->content(this->digest_)->last_use, at(610));
  this->index_->add_stored(this->other_, "", 1, {}, at(10));
  EXPECT_EQ(this->index_->content(this->other_)->last_use, at(10));
}

TYPED_TEST_P(IndexConformance, DocumentsAreKept) {
  const index::DocumentKey key{"reg", "team/app", "tags"};
  EXPECT_FALSE(this->index_->document(key));
  this->index_->put_document(key, {.body = "a\nb\n", .checked = at(1)});
  this->index_->put_document(key, {.body = std::string("a\0b", 3), .checked = at(2)});
  const auto document = this->index_->document(key);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->body, std::string("a\0b", 3));
  EXPECT_EQ(document->checked, at(2));
  EXPECT_FALSE(this->index_->document({"reg", "team/app", "referrers"}));
}

TYPED_TEST_P(IndexConformance, ManyThreadsUseItAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 200; ++i) {
        const auto digest = digest_of_text(std::to_string(i));
        const std::string repository = "team/" + std::to_string(t);
        this->index_->add_link("reg", repository, digest);
        this->index_->describe(digest, "application/json", static_cast<std::uint64_t>(i));
        EXPECT_TRUE(this->index_->has_link("reg", repository, digest));
        EXPECT_EQ(this->index_->content(digest)->size, static_cast<std::uint64_t>(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

REGISTER_TYPED_TEST_SUITE_P(IndexConformance, NothingIsKnownAtFirst,
                            ALinkHoldsForItsRegistryRepositoryAndDigestOnly, ALinkCanBeTakenBack,
                            PartsOfALinkAreNotMixedUp, ALinkIsNoContentAndAContentNoLink,
                            TheLastDescriptionStands,
                            StoredContentIsCountedOnceAndForgottenWithItsLinks,
                            WhatIsUnstoredKeepsItsLinks, TheTypeOfStoredContentStands,
                            WhatWasStoredWithoutATypeGetsOne, AUseOfAManifestIsAUseOfAllThatItNames,
                            VisitsWhatIsStored, TagsAreKeptByRepositoryNameAndVariant,
                            ATagIsRemovedInAllItsVariants, TheTagsThatMeanADigestAreRemoved,
                            TheFirstSightStands, AFirstSightInTheFutureIsPutRight,
                            AUseInTheFutureIsPutRight, DocumentsAreKept, ManyThreadsUseItAtOnce);

}  // namespace fairlead::testing
