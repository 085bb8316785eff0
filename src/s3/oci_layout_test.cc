// SPDX-License-Identifier: Apache-2.0
#include "s3/oci_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "async/broadcast.h"
#include "s3/layout_fixture.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;
using Tags = std::vector<std::string>;

class OciLayoutTest : public LayoutFixture {
 protected:
  Result<Place> find(const std::string& repository, const oci::Digest& digest,
                     Held held = Held::AsBlob) {
    return run(layout_->find(repository, digest, held));
  }
  std::string key_of(const Result<Place>& place) {
    return place ? place->key : std::string(to_string(place.error().code));
  }
  static std::string shared_blob(const oci::Digest& digest) {
    return "data/_blobstore/blobs/sha256/" + std::string(digest.hex());
  }
  // What older zots leave in the repositories that do not have the bytes.
  void put_marker(const std::string& repository, const oci::Digest& digest) {
    put(oci_blob(repository, digest), "");
  }
  void make_repository(const std::string& repository) {
    put("data/" + repository + "/index.json", R"({"manifests":[]})");
    put("data/" + repository + "/oci-layout", "{}");
  }

  const std::string manifest_type_{oci::kOciManifest};
  std::unique_ptr<Layout> layout_ = make_layout(LayoutKind::Oci, objects_, "data", clock_);
};

TEST_F(OciLayoutTest, ResolvesTags) {
  const auto digest = put_oci_manifest("team/app", "1.0", "manifest", manifest_type_);
  put_oci_manifest("team/app", "2.0", "second", oci::kOciIndex);
  EXPECT_EQ(run(resolve(*layout_, "team/app", "1.0")), digest.str() + "|" + manifest_type_);
  EXPECT_EQ(code_of(run(resolve(*layout_, "team/app", "3.0"))), Code::NotFound);
  EXPECT_EQ(code_of(run(resolve(*layout_, "team", "1.0"))), Code::NotFound);
  put("data/team/index.json", "<html>");
  EXPECT_EQ(code_of(run(resolve(*layout_, "team", "1.0"))), Code::Corrupt);
}

TEST_F(OciLayoutTest, AMovedTagIsSeenInAMoment) {
  put_oci_manifest("app", "1.0", "manifest", manifest_type_);
  EXPECT_TRUE(run(resolve(*layout_, "app", "1.0")));
  clock_.advance(IndexReader::kRemembered);
  listed_.clear();
  const auto moved = put_oci_manifest("app", "1.0", "moved", manifest_type_);
  EXPECT_EQ(run(resolve(*layout_, "app", "1.0")), moved.str() + "|" + manifest_type_);
}

TEST_F(OciLayoutTest, FindsWhatLiesInTheRepository) {
  const auto blob = put_oci_blob("team/app", "layer");
  const auto place = find("team/app", blob);
  ASSERT_TRUE(place) << place.error().context;
  EXPECT_EQ(place->key, oci_blob("team/app", blob));
  EXPECT_EQ(place->size, 5U);
  EXPECT_EQ(place->media_type, "");
}

// The attack: a repository is asked for another one's blob.
TEST_F(OciLayoutTest, ABlobOfAnotherRepositoryIsNotFound) {
  const auto blob = put_oci_blob("team/private", "layer");
  const auto manifest = put_oci_manifest("team/private", "1.0", "manifest", manifest_type_);
  put(shared_blob(blob), "layer");
  make_repository("team/app");
  for (const char* repository : {"team/app", "team", "team/private/x"}) {
    EXPECT_EQ(code_of(find(repository, blob)), Code::NotFound) << repository;
    EXPECT_EQ(code_of(find(repository, manifest)), Code::NotFound) << repository;
    EXPECT_EQ(code_of(find(repository, manifest, Held::AsManifest)), Code::NotFound) << repository;
  }
  // Nor after it was found where it belongs.
  EXPECT_TRUE(find("team/private", blob));
  EXPECT_TRUE(find("team/private", manifest, Held::AsManifest));
  EXPECT_EQ(code_of(find("team/app", blob)), Code::NotFound);
  EXPECT_EQ(code_of(find("team/app", manifest, Held::AsManifest)), Code::NotFound);
}

// The attack: a manifest that names others' blobs, pushed as a blob.
TEST_F(OciLayoutTest, AManifestIsWhatIsListed) {
  const auto listed = put_oci_manifest("app", "", "manifest", manifest_type_);
  const auto pushed = put_oci_blob("app", image_manifest("x"));
  const auto place = find("app", listed, Held::AsManifest);
  ASSERT_TRUE(place) << place.error().context;
  EXPECT_EQ(place->media_type, manifest_type_);
  EXPECT_EQ(code_of(find("app", pushed, Held::AsManifest)), Code::NotFound);
  EXPECT_TRUE(find("app", pushed, Held::AsBlob));
  EXPECT_TRUE(find("app", listed, Held::AsBlob));
}

TEST_F(OciLayoutTest, APullReadsTheIndexOnceForItsTagAndManifest) {
  const auto digest = put_oci_manifest("app", "1.0", "manifest", manifest_type_);
  EXPECT_TRUE(run(resolve(*layout_, "app", "1.0")));
  EXPECT_TRUE(find("app", digest, Held::AsManifest));
  EXPECT_EQ(bucket_.count("get_text"), 1U);
  clock_.advance(OciLayout::kListed);
  EXPECT_TRUE(find("app", digest, Held::AsManifest));
  EXPECT_EQ(bucket_.count("get_text"), 2U);
}

TEST_F(OciLayoutTest, TheBlobOfNoBytesIsItself) {
  const auto nothing = put_oci_blob("app", "");
  const auto place = find("app", nothing);
  ASSERT_TRUE(place) << place.error().context;
  EXPECT_EQ(place->key, oci_blob("app", nothing));
  EXPECT_EQ(place->size, 0U);
}

TEST_F(OciLayoutTest, AMarkerLeadsToTheBlobStore) {
  const auto blob = digest_of("layer");
  put_marker("app", blob);
  put(shared_blob(blob), "layer");
  const auto place = find("app", blob);
  ASSERT_TRUE(place) << place.error().context;
  EXPECT_EQ(place->key, shared_blob(blob));
  EXPECT_EQ(place->size, 5U);
  EXPECT_EQ(bucket_.count("list"), 0U);
}

TEST_F(OciLayoutTest, AMarkerLeadsToTheRepositoryThatHasTheBytes) {
  const auto blob = digest_of("layer");
  for (int i = 0; i < 30; ++i) {
    const std::string repository = "team" + std::to_string(i) + "/app";
    make_repository(repository);
    put_marker(repository, blob);
  }
  make_repository("deep/in/the/tree");
  put_oci_blob("deep/in/the/tree", "layer");
  const auto place = find("team3/app", blob);
  ASSERT_TRUE(place) << place.error().context;
  EXPECT_EQ(place->key, oci_blob("deep/in/the/tree", blob));
  EXPECT_EQ(place->size, 5U);
}

TEST_F(OciLayoutTest, RepositoriesAreFoundWithinOthersAndInLongLists) {
  const auto blob = digest_of("layer");
  for (int i = 0; i < 1500; ++i) make_repository("r" + std::to_string(i));
  make_repository("team");
  put_marker("team", blob);
  make_repository("team/app");
  put_oci_blob("team/app", "layer");
  EXPECT_EQ(key_of(find("team", blob)), oci_blob("team/app", blob));
}

TEST_F(OciLayoutTest, OnlyRepositoriesAreLookedInto) {
  const auto blob = digest_of("layer");
  make_repository("app");
  put_marker("app", blob);
  for (const char* name : {"_trash", ".hidden", "Upper"}) {
    make_repository(name);
    put_oci_blob(name, "layer");
  }
  put_oci_blob("no/index", "layer");
  bucket_.put("other/root/index.json", {.bytes = "{}"});
  bucket_.put("other/root/blobs/sha256/" + std::string(blob.hex()), {.bytes = "layer"});
  EXPECT_EQ(code_of(find("app", blob)), Code::NotFound);
  const auto calls = bucket_.calls();
  EXPECT_EQ(std::ranges::count(calls, "list data/app/blobs/"), 0);
}

TEST_F(OciLayoutTest, AMarkerWithoutBytesAnywhereIsNotFound) {
  const auto blob = digest_of("layer");
  for (const char* repository : {"app", "other"}) {
    make_repository(repository);
    put_marker(repository, blob);
  }
  put(shared_blob(blob), "");
  EXPECT_EQ(code_of(find("app", blob)), Code::NotFound);
}

TEST_F(OciLayoutTest, AMarkerWithoutBytesIsNotSearchedForEachTime) {
  const auto blob = digest_of("layer");
  for (const char* repository : {"app", "other"}) make_repository(repository);
  put_marker("app", blob);
  EXPECT_EQ(code_of(find("app", blob)), Code::NotFound);
  const auto before = bucket_.calls().size();
  EXPECT_EQ(code_of(find("app", blob)), Code::NotFound);
  EXPECT_EQ(bucket_.calls().size(), before + 1);  // the marker
  put_oci_blob("other", "layer");
  clock_.advance(SharedBlobs::kNowhereRemembered);
  EXPECT_EQ(key_of(find("app", blob)), oci_blob("other", blob));
}

TEST_F(OciLayoutTest, ASearchThatFailedIsNoAnswer) {
  const auto blob = digest_of("layer");
  make_repository("other");
  put_marker("app", blob);
  put_oci_blob("other", "layer");
  bucket_.on_call = [](const std::string& call, const std::string&) {
    return call == "list"
               ? std::optional(Error{Code::Timeout, Origin::Upstream, Retry::Yes, "slow"})
               : std::nullopt;
  };
  EXPECT_EQ(code_of(find("app", blob)), Code::Timeout);
  bucket_.on_call = {};
  EXPECT_EQ(key_of(find("app", blob)), oci_blob("other", blob));
}

TEST_F(OciLayoutTest, FoundPlacesAreRememberedAndAskedAboutAgain) {
  const auto blob = digest_of("layer");
  make_repository("app");
  make_repository("first");
  put_marker("app", blob);
  put_oci_blob("first", "layer");
  EXPECT_EQ(key_of(find("app", blob)), oci_blob("first", blob));
  const auto before = bucket_.calls().size();
  EXPECT_EQ(key_of(find("app", blob)), oci_blob("first", blob));
  const auto calls = bucket_.calls();
  EXPECT_EQ(
      (std::vector<std::string>{calls.begin() + static_cast<std::ptrdiff_t>(before), calls.end()}),
      (std::vector<std::string>{"head " + oci_blob("app", blob),
                                "head " + oci_blob("first", blob)}));

  // The bytes go to another repository when the one that had them is removed.
  put_marker("first", blob);
  make_repository("second");
  put_oci_blob("second", "layer");
  clock_.advance(SharedBlobs::kListRemembered);
  EXPECT_EQ(key_of(find("app", blob)), oci_blob("second", blob));
}

TEST_F(OciLayoutTest, RepositoriesAreListedOnceInAWhile) {
  make_repository("app");
  make_repository("full");
  for (const char* bytes : {"one", "two", "three"}) {
    put_marker("app", digest_of(bytes));
    put_oci_blob("full", bytes);
  }
  EXPECT_TRUE(find("app", digest_of("one")));
  const auto lists = bucket_.count("list");
  EXPECT_TRUE(find("app", digest_of("two")));
  EXPECT_EQ(bucket_.count("list"), lists);
  clock_.advance(SharedBlobs::kListRemembered);
  EXPECT_TRUE(find("app", digest_of("three")));
  EXPECT_EQ(bucket_.count("list"), 2 * lists);
}

TEST_F(OciLayoutTest, NotMoreDirectoriesThanTheBoundAreListed) {
  for (std::size_t i = 0; i < SharedBlobs::kMaxRepositories + 500; ++i) {
    put("data/r" + std::to_string(i) + "/index.json", "{}");
  }
  const auto blob = digest_of("layer");
  put_marker("app", blob);
  EXPECT_EQ(code_of(find("app", blob)), Code::NotFound);
  EXPECT_LE(bucket_.count("list"), SharedBlobs::kMaxRepositories + 20);
  EXPECT_LE(bucket_.count("head"), SharedBlobs::kMaxRepositories + 20);
}

// Answers only when it is told to, and counts who waits.
class WaitingObjects final : public ObjectReader {
 public:
  explicit WaitingObjects(ObjectReader& objects) : objects_(objects) {}

  async::Task<Result<ObjectHead>> head(std::string key) override {
    co_await wait();
    co_return co_await objects_.head(std::move(key));
  }
  async::Task<Result<Listing>> list(ListRequest request) override {
    co_await wait();
    co_return co_await objects_.list(std::move(request));
  }
  async::Task<Result<ObjectDownload>> get(std::string, std::uint64_t,
                                          std::optional<std::uint64_t>) override {
    co_return upstream_error(Code::Unsupported, Retry::No, "not here");
  }
  async::Task<Result<std::string>> get_text(std::string, std::size_t) override {
    co_return upstream_error(Code::Unsupported, Retry::No, "not here");
  }
  async::Task<Result<std::string>> presign(std::string, std::string,
                                           std::chrono::seconds) override {
    co_return upstream_error(Code::Unsupported, Retry::No, "not here");
  }

  // All that wait now go on.
  void release() {
    ++round_;
    released_.notify_all();
  }
  std::size_t waiting = 0;
  std::size_t most = 0;  // at any time

 private:
  async::Task<> wait() {
    most = std::max(most, ++waiting);
    const auto round = round_;
    for (;;) {
      const auto seen = released_.version();
      if (round != round_) break;
      if (!co_await released_.wait(seen, std::chrono::steady_clock::now() + 30s)) break;
    }
    --waiting;
  }

  ObjectReader& objects_;
  std::size_t round_ = 0;
  async::Broadcast released_;
};

TEST_F(OciLayoutTest, ASearchAsksAFewAtATimeAndListsOnceForAll) {
  for (int i = 0; i < 20; ++i) make_repository("r" + std::to_string(i));
  for (const char* bytes : {"one", "two"}) {
    put_marker("r0", digest_of(bytes));
    put_oci_blob("r19", bytes);
  }
  WaitingObjects waiting(objects_);
  layout_ = make_layout(LayoutKind::Oci, waiting, "data", clock_);
  std::optional<Result<Place>> one;
  std::optional<Result<Place>> two;
  begin(layout_->find("r0", digest_of("one"), Held::AsBlob), one);
  begin(layout_->find("r0", digest_of("two"), Held::AsBlob), two);
  run_until([&] {
    waiting.release();
    return one && two;
  });
  EXPECT_EQ(key_of(*one), oci_blob("r19", digest_of("one")));
  EXPECT_EQ(key_of(*two), oci_blob("r19", digest_of("two")));
  EXPECT_EQ(bucket_.count("list"), 1U + 20U);  // the root, and each below it
  EXPECT_GT(waiting.most, SharedBlobs::kAtOnce / 2);
  EXPECT_LE(waiting.most, 2 * SharedBlobs::kAtOnce);
}

TEST_F(OciLayoutTest, FailuresAreNotTakenForAbsence) {
  const auto blob = digest_of("layer");
  make_repository("app");
  make_repository("other");
  put_marker("app", blob);
  bucket_.on_call = [&](const std::string&, const std::string& key) {
    return key == oci_blob("other", blob)
               ? std::optional(Error{Code::Timeout, Origin::Upstream, Retry::Yes, "slow"})
               : std::nullopt;
  };
  EXPECT_EQ(code_of(find("app", blob)), Code::Timeout);
  bucket_.on_call = [](const std::string& call, const std::string&) {
    return call == "list" ? std::optional(Error{Code::Denied, Origin::Upstream, Retry::No, "no"})
                          : std::nullopt;
  };
  clock_.advance(SharedBlobs::kListRemembered);
  EXPECT_EQ(code_of(find("app", blob)), Code::Denied);
  break_bucket(Code::Unavailable);
  EXPECT_EQ(code_of(find("app", blob)), Code::Unavailable);
  EXPECT_EQ(code_of(find("app", blob, Held::AsManifest)), Code::Unavailable);
  EXPECT_EQ(code_of(run(layout_->tags("app"))), Code::Unavailable);
}

TEST_F(OciLayoutTest, WhatIsSharedIsInTheBlobStore) {
  const auto blob = digest_of("layer");
  put_oci_blob("app", "layer");
  EXPECT_EQ(code_of(run(layout_->find_shared(blob))), Code::NotFound);
  put(shared_blob(blob), "layer");
  EXPECT_EQ(key_of(run(layout_->find_shared(blob))), shared_blob(blob));
  put(shared_blob(blob), "");
  EXPECT_EQ(code_of(run(layout_->find_shared(blob))), Code::NotFound);
}

TEST_F(OciLayoutTest, ListsTagsSortedAndOnce) {
  for (const char* tag : {"b", "a", "", "b"}) {
    put_oci_manifest("app", tag, "manifest", manifest_type_);
  }
  EXPECT_EQ(run(layout_->tags("app")), (Tags{"a", "b"}));
  make_repository("empty");
  EXPECT_EQ(run(layout_->tags("empty")), Tags());
  EXPECT_EQ(code_of(run(layout_->tags("nothing"))), Code::NotFound);
}

}  // namespace
}  // namespace fairlead::s3
