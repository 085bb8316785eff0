// SPDX-License-Identifier: Apache-2.0
#include "cache/repository_names.h"

#include <gmock/gmock.h>

#include "async/broadcast.h"
#include "oci/catalog.h"
#include "testing/coroutine_test.h"
#include "testing/fake_upstream.h"
#include "testing/manual_clock.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;
using ::testing::ElementsAre;

// A registry that tells its repositories in pages, as a test has them.
class TellingRegistry final : public upstream::Registry {
 public:
  async::Task<Result<upstream::Document>> list_repositories(std::string query,
                                                            std::size_t limit) override {
    asked.push_back(query);
    EXPECT_EQ(limit, RepositoryNames::kMaxPage);
    while (is_holding) {
      std::ignore = co_await gate.wait(gate.version(), std::chrono::steady_clock::now() + 30s);
    }
    if (clock != nullptr) clock->advance(takes);
    if (error) co_return std::unexpected(*error);
    const auto found = pages.find(query);
    if (found == pages.end()) co_return upstream_error(Code::NotFound, Retry::No, "no such page");
    co_return found->second;
  }

  async::Task<Result<upstream::ContentHead>> head_manifest(std::string, std::string,
                                                           std::string) override {
    co_return nothing();
  }
  async::Task<Result<upstream::Download>> get_manifest(std::string, std::string,
                                                       std::string) override {
    co_return nothing();
  }
  async::Task<Result<upstream::ContentHead>> head_blob(std::string, oci::Digest) override {
    co_return nothing();
  }
  async::Task<Result<upstream::Download>> get_blob(std::string, oci::Digest, std::uint64_t,
                                                   std::optional<std::uint64_t>) override {
    co_return nothing();
  }
  async::Task<Result<upstream::Document>> get_document(std::string, std::string, std::string,
                                                       std::size_t) override {
    co_return nothing();
  }

  std::map<std::string, upstream::Document> pages;  // by query
  std::optional<Error> error;
  std::vector<std::string> asked;
  bool is_holding = false;
  async::Broadcast gate;
  fairlead::testing::ManualClock* clock = nullptr;
  std::chrono::seconds takes{0};

 private:
  static std::unexpected<Error> nothing() {
    return upstream_error(Code::Unsupported, Retry::No, "it tells names only");
  }
};

class RepositoryNamesTest : public fairlead::testing::CoroutineTest {
 protected:
  using Told = Result<RepositoryNames::Told>;

  void tell(const std::string& query, const Names& names, const std::string& link = "") {
    registry_.pages[query] = {.body = oci::write_catalog(names), .link = link};
  }
  Told ask() {
    std::optional<Told> told;
    begin_asking(told);
    run_until([&] { return told.has_value(); });
    return *std::move(told);
  }
  void begin_asking(std::optional<Told>& told) {
    boost::asio::co_spawn(context_, put(told), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }
  async::Task<> put(std::optional<Told>& told) {
    told.emplace(co_await names_.names(&registry_, "reg.test", policy_));
  }
  void fail(Code code) { registry_.error = Error{code, Origin::Upstream, Retry::No, "it fails"}; }

  fairlead::testing::ManualClock clock_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  TellingRegistry registry_;
  RepositoryNames names_{clock_, log_};
  FreshnessPolicy policy_;
};

TEST_F(RepositoryNamesTest, PagesAreFollowedAndPutTogether) {
  tell("n=1000", {"b", "c"}, R"(</v2/_catalog?n=1000&last=c>; rel="next")");
  tell("n=1000&last=c", {"a", "c", "d"});
  const auto told = ask();
  ASSERT_TRUE(told);
  EXPECT_THAT(*told->names, ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(told->freshness, Freshness::Checked);
  EXPECT_THAT(registry_.asked, ElementsAre("n=1000", "n=1000&last=c"));
}

TEST_F(RepositoryNamesTest, AreAskedForAgainWhenTheyAreNoLongerFresh) {
  tell("n=1000", {"a"});
  EXPECT_TRUE(ask());
  EXPECT_EQ(ask()->freshness, Freshness::Fresh);
  clock_.advance(60s);
  tell("n=1000", {"b"});
  EXPECT_THAT(*ask()->names, ElementsAre("b"));
  EXPECT_EQ(registry_.asked.size(), 2U);
}

TEST_F(RepositoryNamesTest, WhoComesMeanwhileWaitsForTheSameAnswer) {
  tell("n=1000", {"a"});
  registry_.is_holding = true;
  std::optional<Told> first;
  std::optional<Told> second;
  begin_asking(first);
  begin_asking(second);
  run_for(20ms);
  EXPECT_FALSE(first || second);
  registry_.is_holding = false;
  registry_.gate.notify_all();
  run_until([&] { return first && second; });
  EXPECT_THAT(*(*first)->names, ElementsAre("a"));
  EXPECT_EQ((*first)->names, (*second)->names);
  EXPECT_EQ(registry_.asked.size(), 1U);
}

TEST_F(RepositoryNamesTest, AreServedStaleWhileTheRegistryIsAway) {
  policy_.stale_if_error = 1h;
  tell("n=1000", {"a"});
  EXPECT_TRUE(ask());
  clock_.advance(60s);
  fail(Code::Unavailable);
  auto told = ask();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->freshness, Freshness::Stale);
  EXPECT_THAT(*told->names, ElementsAre("a"));
  EXPECT_TRUE(ask());
  EXPECT_EQ(registry_.asked.size(), 2U) << "it is left alone for a while";
  clock_.advance(RepositoryNames::kRest);
  EXPECT_TRUE(ask());
  EXPECT_EQ(registry_.asked.size(), 3U);
  clock_.advance(1h);
  EXPECT_EQ(ask().error().code, Code::Unavailable) << "too old";
}

TEST_F(RepositoryNamesTest, ARefusalForgetsThem) {
  tell("n=1000", {"a"});
  EXPECT_TRUE(ask());
  clock_.advance(60s);
  fail(Code::Denied);
  EXPECT_EQ(ask().error().code, Code::Denied);
  clock_.advance(10s);
  fail(Code::Unavailable);
  EXPECT_EQ(ask().error().code, Code::Unavailable) << "it does not come back with an outage";
}

TEST_F(RepositoryNamesTest, WhatIsNoListIsCorrupt) {
  registry_.pages["n=1000"] = {.body = "<html>"};
  EXPECT_EQ(ask().error().code, Code::Corrupt);
}

// The attack, or the broken registry: pages without end.
TEST_F(RepositoryNamesTest, PagesThatLeadNowhereEnd) {
  tell("n=1000", {"a"}, R"(</v2/_catalog?n=1000>; rel="next")");
  EXPECT_THAT(*ask()->names, ElementsAre("a"));
  EXPECT_EQ(registry_.asked.size(), 1U);

  clock_.advance(60s);
  tell("n=1000", {"a"}, R"(<?x>; rel="next")");
  tell("x", {"b"}, R"(<?y>; rel="next")");
  tell("y", {"c"}, R"(<?x>; rel="next")");
  EXPECT_THAT(*ask()->names, ElementsAre("a", "b", "c"));
  EXPECT_EQ(registry_.asked.size(), 1 + RepositoryNames::kMaxPages);
}

TEST_F(RepositoryNamesTest, PagesThatTakeTooLongAreNoAnswer) {
  registry_.clock = &clock_;
  registry_.takes = 25s;
  tell("n=1000", {"a"}, R"(<?x>; rel="next")");
  tell("x", {"b"}, R"(<?y>; rel="next")");
  tell("y", {"c"}, R"(<?x>; rel="next")");
  EXPECT_EQ(ask().error().code, Code::Timeout);
  EXPECT_EQ(registry_.asked.size(), 3U);
}

TEST_F(RepositoryNamesTest, AreBoundedInNumber) {
  Names many;
  for (int i = 0; i < 60'000; ++i) many.push_back("a" + std::to_string(i));
  tell("n=1000", many, R"(<?x>; rel="next")");
  for (std::string& name : many) name[0] = 'b';
  tell("x", many, R"(<?y>; rel="next")");
  tell("y", {"c"});
  EXPECT_EQ(ask()->names->size(), RepositoryNames::kMaxNames);
  EXPECT_EQ(registry_.asked.size(), 2U);
}

TEST_F(RepositoryNamesTest, APushToANewRepositoryIsInThemAtOnce) {
  tell("n=1000", {"a", "b"});
  ask();
  names_.note_pushed("reg.test", "a");
  names_.note_pushed("other.test", "c");
  ask();
  EXPECT_EQ(registry_.asked.size(), 1U) << "nothing new";
  names_.note_pushed("reg.test", "c");
  tell("n=1000", {"a", "b", "c"});
  EXPECT_EQ(*ask()->names, (Names{"a", "b", "c"}));
}

}  // namespace
}  // namespace fairlead::cache
