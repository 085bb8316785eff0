// SPDX-License-Identifier: Apache-2.0
#include "s3/index_reader.h"

#include <algorithm>
#include <optional>

#include "async/broadcast.h"
#include "s3/layout_fixture.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

// Texts come only once they are released; counts who waits for one.
class HeldTexts final : public ObjectReader {
 public:
  explicit HeldTexts(ObjectReader& objects) : objects_(objects) {}

  async::Task<Result<std::string>> get_text(std::string key, std::size_t limit) override {
    const bool is_large = limit > IndexReader::kLarge;
    if (is_large) most_large = std::max(most_large, ++large_);
    const auto round = round_;
    for (;;) {
      const auto seen = released_.version();
      if (round != round_) break;
      std::ignore = co_await released_.wait(seen, std::chrono::steady_clock::now() + 30s);
    }
    if (is_large) --large_;
    co_return co_await objects_.get_text(std::move(key), limit);
  }
  async::Task<Result<ObjectHead>> head(std::string) override { co_return none(); }
  async::Task<Result<Listing>> list(ListRequest) override { co_return none(); }
  async::Task<Result<ObjectDownload>> get(std::string, std::uint64_t,
                                          std::optional<std::uint64_t>) override {
    co_return none();
  }
  async::Task<Result<std::string>> presign(std::string, std::string,
                                           std::chrono::seconds) override {
    co_return none();
  }

  void release() {
    ++round_;
    released_.notify_all();
  }
  std::size_t most_large = 0;  // large ones at a time

 private:
  static std::unexpected<Error> none() {
    return upstream_error(Code::Unsupported, Retry::No, "not here");
  }

  ObjectReader& objects_;
  std::size_t large_ = 0;
  std::size_t round_ = 0;
  async::Broadcast released_;
};

class IndexReaderTest : public LayoutFixture {
 protected:
  using Outcome = std::optional<Result<IndexReader::Index>>;

  // An index of at least so many bytes.
  void put_index(const std::string& repository, std::size_t size) {
    put("data/" + repository + "/index.json",
        R"({"manifests":[{"digest":")" + digest_of(repository).str() + R"("}],"padding":")" +
            std::string(size, 'x') + R"("})");
  }
  // One whose entries take up so many bytes of ours, about.
  void put_entries(const std::string& repository, std::size_t bytes) {
    const std::string entry = R"({"digest":")" + digest_of(repository).str() + R"("})";
    std::string all = entry;
    for (std::size_t i = 1; i < bytes / (sizeof(oci_layout::ListedManifest) + 71); ++i) {
      all += "," + entry;
    }
    put("data/" + repository + "/index.json", R"({"manifests":[)" + all + "]}");
  }
  std::size_t read(const std::string& repository) {
    const auto index = run(reader_.read(repository));
    return index ? (*index)->size() : 0;
  }

  HeldTexts held_{objects_};
  IndexReader reader_{objects_, "data", clock_};
};

TEST_F(IndexReaderTest, IsRememberedForAMoment) {
  put_index("app", 0);
  EXPECT_EQ(read("app"), 1U);
  EXPECT_EQ(read("app"), 1U);
  EXPECT_EQ(bucket_.count("get_text"), 1U);
  put_index("other", 0);
  EXPECT_EQ(read("other"), 1U);
  EXPECT_EQ(bucket_.count("get_text"), 2U);
  clock_.advance(IndexReader::kRemembered);
  EXPECT_EQ(read("app"), 1U);
  EXPECT_EQ(bucket_.count("get_text"), 3U);
}

TEST_F(IndexReaderTest, FailuresAreNotRemembered) {
  EXPECT_EQ(code_of(run(reader_.read("app"))), Code::NotFound);
  put("data/app/index.json", "<html>");
  EXPECT_EQ(code_of(run(reader_.read("app"))), Code::Corrupt);
  put_index("app", 0);
  EXPECT_EQ(read("app"), 1U);
}

TEST_F(IndexReaderTest, ManyWhoAskAtOnceReadItOnce) {
  put_index("app", 0);
  IndexReader reader(held_, "data", clock_);
  std::vector<Outcome> outcomes(60);
  for (Outcome& outcome : outcomes) begin(reader.read("app"), outcome);
  run_until([&] {
    held_.release();
    return std::ranges::all_of(outcomes, [](const auto& outcome) { return outcome.has_value(); });
  });
  for (const Outcome& outcome : outcomes) EXPECT_EQ((**outcome)->size(), 1U);
  EXPECT_EQ(bucket_.count("get_text"), 1U);
}

TEST_F(IndexReaderTest, LargeOnesAreReadOneAtATime) {
  std::vector<Outcome> outcomes(5);
  IndexReader reader(held_, "data", clock_);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    put_index("r" + std::to_string(i), IndexReader::kLarge);
    begin(reader.read("r" + std::to_string(i)), outcomes[i]);
  }
  run_until([&] {
    held_.release();
    return std::ranges::all_of(outcomes, [](const auto& outcome) { return outcome.has_value(); });
  });
  for (const Outcome& outcome : outcomes) {
    ASSERT_TRUE(*outcome) << outcome->error().context;
    EXPECT_EQ((**outcome)->size(), 1U);
  }
  EXPECT_EQ(held_.most_large, 1U);
}

TEST_F(IndexReaderTest, WhatIsRememberedIsBounded) {
  for (const char* repository : {"a", "b", "c"}) {
    put_entries(repository, IndexReader::kMaxBytes / 2 - 100'000);
    EXPECT_GT(read(repository), 1U);
  }
  const auto before = bucket_.count("get_text");
  read("c");
  read("b");
  EXPECT_EQ(bucket_.count("get_text"), before);
  read("a");  // the oldest went
  EXPECT_GT(bucket_.count("get_text"), before);

  for (std::size_t i = 0; i <= IndexReader::kMaxRemembered; ++i) {
    put_index("r" + std::to_string(i), 0);
    read("r" + std::to_string(i));
  }
  const auto many = bucket_.count("get_text");
  read("r1");
  EXPECT_EQ(bucket_.count("get_text"), many);
  read("r0");
  EXPECT_EQ(bucket_.count("get_text"), many + 1);
}

}  // namespace
}  // namespace fairlead::s3
