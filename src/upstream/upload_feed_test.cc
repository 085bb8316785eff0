// SPDX-License-Identifier: Apache-2.0
#include "upstream/upload_feed.h"

#include <array>
#include <string>
#include <utility>

#include "testing/coroutine_test.h"

namespace fairlead::upstream {
namespace {

// Pieces, then the end, or an error. Each is gone once the next is read.
class Pieces final : public Body {
 public:
  explicit Pieces(std::vector<std::string> pieces, std::optional<Error> error = {})
      : pieces_(std::move(pieces)), error_(std::move(error)) {}

  async::Task<Result<ByteView>> read() override {
    lent_.assign(lent_.size(), '#');
    if (next_ == pieces_.size() && error_) co_return std::unexpected(*error_);
    lent_ = next_ == pieces_.size() ? "" : pieces_[next_++];
    co_return as_byte_view(lent_);
  }

 private:
  const std::vector<std::string> pieces_;
  const std::optional<Error> error_;
  std::string lent_;
  std::size_t next_ = 0;
};

class UploadFeedTest : public fairlead::testing::CoroutineTest {
 protected:
  void feed(std::vector<std::string> pieces, std::optional<std::uint64_t> length,
            std::optional<Error> error = {}) {
    feed_.emplace(std::make_shared<Pieces>(std::move(pieces), std::move(error)), length);
  }
  // As libcurl would ask for them; "..." where none are here.
  std::string take(std::size_t room = 100) {
    std::array<char, 100> bytes{};
    const auto count = feed_->take(std::span(bytes).first(room));
    return count ? std::string(bytes.data(), *count) : "...";
  }
  Result<void> read_piece() { return run(feed_->read_piece()); }

  // What is given away before the end, or before an error.
  Result<void> send_all() {
    sent_.clear();
    for (;;) {
      std::array<char, 3> room{};
      const auto count = feed_->take(room);
      if (count == 0U) return {};
      if (count) {
        sent_.append(room.data(), *count);
        continue;
      }
      if (auto read = read_piece(); !read) return read;
    }
  }

  std::optional<UploadFeed> feed_;
  std::string sent_;
};

TEST_F(UploadFeedTest, GivesAllOfABodyOfItsLength) {
  for (const auto length : {std::optional<std::uint64_t>(9), std::optional<std::uint64_t>()}) {
    feed({"one", "two2", "th"}, length);
    ASSERT_TRUE(send_all());
    EXPECT_EQ(sent_, "onetwo2th");
    EXPECT_TRUE(feed_->is_finished());
    EXPECT_FALSE(feed_->wants_piece());
    EXPECT_EQ(feed_->received(), 9u);
  }
}

TEST_F(UploadFeedTest, AnEmptyBodyEndsAtOnce) {
  feed({}, std::nullopt);
  ASSERT_TRUE(send_all());
  EXPECT_EQ(sent_, "");
  EXPECT_TRUE(feed_->is_finished());
}

TEST_F(UploadFeedTest, ReadsNothingBeforeItIsAsked) {
  feed({"one"}, 3);
  EXPECT_FALSE(feed_->is_begun());
  EXPECT_FALSE(feed_->wants_piece());
  EXPECT_EQ(take(), "...");
  EXPECT_TRUE(feed_->wants_piece());
  EXPECT_FALSE(feed_->is_begun());
  ASSERT_TRUE(read_piece());
  EXPECT_TRUE(feed_->is_begun());
  EXPECT_FALSE(feed_->wants_piece());
  EXPECT_EQ(take(2), "on");
  EXPECT_FALSE(feed_->is_finished());
  EXPECT_EQ(take(2), "e");
  EXPECT_TRUE(feed_->is_finished());
  EXPECT_EQ(take(), "");
}

TEST_F(UploadFeedTest, WantsTheNextPieceOnceTheOneBeforeIsTaken) {
  feed({"one", "two"}, std::nullopt);
  take();
  ASSERT_TRUE(read_piece());
  EXPECT_EQ(take(2), "on");
  EXPECT_FALSE(feed_->wants_piece());
  EXPECT_EQ(take(2), "e");
  EXPECT_TRUE(feed_->wants_piece());
}

// What is too long must not look complete: its last byte stays here.
TEST_F(UploadFeedTest, ABodyThatIsTooLongIsRefusedBeforeItsLastPiece) {
  for (const std::vector<std::string>& pieces :
       {std::vector<std::string>{"onetwos"}, {"one", "twos"}, {"one", "two", "s"}}) {
    feed(pieces, 6);
    const auto sent = send_all();
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Code::InvalidArgument);
    EXPECT_EQ(sent.error().origin, Origin::Client);
    EXPECT_LT(sent_.size(), 6u);
    EXPECT_FALSE(feed_->is_finished());
  }
}

TEST_F(UploadFeedTest, ABodyThatIsTooShortIsRefused) {
  for (const std::vector<std::string>& pieces :
       {std::vector<std::string>{}, {"onetw"}, {"one", "tw"}}) {
    feed(pieces, 6);
    const auto sent = send_all();
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Code::InvalidArgument);
    EXPECT_EQ(sent.error().origin, Origin::Client);
    EXPECT_FALSE(feed_->is_finished());
  }
}

TEST_F(UploadFeedTest, TheErrorOfABodyIsTheFeeds) {
  const Error gone = client_error(Code::Cancelled, "it went away").error();
  for (const auto length : {std::optional<std::uint64_t>(4), std::optional<std::uint64_t>(3),
                            std::optional<std::uint64_t>()}) {
    feed({"one"}, length, gone);
    const auto sent = send_all();
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().context, "it went away");
    EXPECT_EQ(sent_, length == 3U ? "" : "one") << "the last piece waits for the end";
    EXPECT_FALSE(feed_->is_finished());
  }
}

}  // namespace
}  // namespace fairlead::upstream
