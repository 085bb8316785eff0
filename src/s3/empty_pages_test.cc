// SPDX-License-Identifier: Apache-2.0
// Listings that go on and on, and bring nothing.
#include "s3/empty_pages.h"

#include <memory>
#include <string>

#include "s3/bucket_walk.h"
#include "s3/layout_fixture.h"

namespace fairlead::s3 {
namespace {

// Every page has what `page` has, and another continuation.
class EndlessObjects final : public Objects {
 public:
  explicit EndlessObjects(Listing page) : page_(std::move(page)) {}

  async::Task<Result<Listing>> list(ListRequest) override {
    Listing page = page_;
    page.continuation = std::to_string(++pages);
    co_return page;
  }
  async::Task<Result<ObjectHead>> head(std::string) override { co_return ObjectHead{}; }
  async::Task<Result<ObjectDownload>> get(std::string, std::uint64_t,
                                          std::optional<std::uint64_t>) override {
    co_return none();
  }
  async::Task<Result<std::string>> get_text(std::string, std::size_t) override { co_return none(); }
  async::Task<Result<std::string>> presign(std::string, std::string,
                                           std::chrono::seconds) override {
    co_return none();
  }
  async::Task<Result<void>> put(std::string, std::string, std::string, std::string) override {
    co_return none();
  }
  async::Task<Result<void>> remove(std::string) override { co_return none(); }
  async::Task<Result<std::string>> begin_upload(std::string, std::string, std::string) override {
    co_return none();
  }
  async::Task<Result<UploadedPart>> put_part(std::string, std::string, int, std::string) override {
    co_return none();
  }
  async::Task<Result<void>> complete_upload(std::string, std::string,
                                            std::vector<UploadedPart>) override {
    co_return none();
  }
  async::Task<Result<void>> abort_upload(std::string, std::string) override { co_return none(); }
  async::Task<Result<std::vector<UnfinishedUpload>>> unfinished_uploads(std::string) override {
    co_return none();
  }

  int pages = 0;

 private:
  static std::unexpected<Error> none() {
    return upstream_error(Code::NotFound, Retry::No, "there is nothing");
  }

  const Listing page_;
};

class EmptyPagesTest : public LayoutFixture {};

TEST_F(EmptyPagesTest, TagsAreGivenUp) {
  EndlessObjects objects({.objects = {}, .prefixes = {"data/no tag/"}, .continuation = {}});
  const auto layout = make_layout(LayoutKind::Distribution, objects, "data", clock_);
  EXPECT_EQ(code_of(run(layout->tags("app"))), Code::Corrupt);
  EXPECT_EQ(objects.pages, EmptyPages::kMax);
}

TEST_F(EmptyPagesTest, RepositoriesAreGivenUp) {
  EndlessObjects objects(Listing{});
  const auto layout = make_layout(LayoutKind::Oci, objects, "data", clock_);
  EXPECT_EQ(code_of(run(layout->find("app", digest_of("layer"), Held::AsBlob))), Code::Corrupt);
  EXPECT_EQ(objects.pages, EmptyPages::kMax);
}

TEST_F(EmptyPagesTest, AWalkIsGivenUp) {
  EndlessObjects* made = nullptr;
  BlockingObjects objects([&](const async::Executor&) {
    auto endless = std::make_unique<EndlessObjects>(Listing{});
    made = endless.get();
    return endless;
  });
  BucketWalk walk(objects, "root", BucketWalk::Of::Blobs);
  EXPECT_EQ(code_of(walk.next()), Code::Corrupt);
  EXPECT_EQ(made->pages, EmptyPages::kMax);
}

TEST_F(EmptyPagesTest, AWalkThatBeginsAgainIsGivenUp) {
  const std::string key = "root/blobs/sha256/" + std::string(digest_of("x").hex().substr(0, 2)) +
                          "/" + std::string(digest_of("x").hex());
  BlockingObjects objects([&](const async::Executor&) {
    return std::make_unique<EndlessObjects>(
        Listing{.objects = {{.key = key, .size = 1}}, .prefixes = {}, .continuation = {}});
  });
  BucketWalk walk(objects, "root", BucketWalk::Of::Blobs);
  ASSERT_TRUE(walk.next());
  EXPECT_EQ(code_of(walk.next()), Code::Corrupt);
}

TEST_F(EmptyPagesTest, OnlyThoseInARowCount) {
  EmptyPages pages;
  for (int i = 0; i < 10; ++i) {
    for (int n = 1; n < EmptyPages::kMax; ++n) EXPECT_TRUE(pages.note(true));
    EXPECT_TRUE(pages.note(false));
  }
}

}  // namespace
}  // namespace fairlead::s3
