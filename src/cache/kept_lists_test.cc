// SPDX-License-Identifier: Apache-2.0
#include "cache/kept_lists.h"

#include <gmock/gmock.h>

#include "cache/cache_fixture.h"
#include "oci/media_type.h"
#include "oci/referrers.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;
using Tags = std::vector<std::string>;

class KeptListsTest : public CacheFixture {
 protected:
  KeptListsTest() { services_.lists = &fresh_; }

  // co_spawn asks for a result.
  void wait(async::Task<> task) {
    std::optional<bool> done;
    begin(then_true(std::move(task)), done);
    run_until([&] { return done.has_value(); });
  }
  static async::Task<bool> then_true(async::Task<> task) {
    co_await std::move(task);
    co_return true;
  }

  void keep(const std::string& query, const oci::TagPage& page) {
    wait(lists_.keep_tags(from_, oci::TagQuery::parse(query), page, lists_.asking_for_tags(from_)));
  }
  std::optional<Tags> fresh() { return run(lists_.fresh_tags(from_, policy_)); }
  std::optional<Tags> known() { return run(lists_.tags(from_, policy_)); }

  void keep_referrers(const std::string& list) {
    wait(lists_.keep_referrers(from_, subject_, list, true,
                               lists_.asking_for_referrers(from_, subject_)));
  }
  std::optional<std::string> fresh_referrers() {
    return run(lists_.fresh_referrers(from_, subject_, policy_));
  }
  std::optional<std::string> known_referrers() {
    return run(lists_.referrers(from_, subject_, policy_));
  }

  static oci::Digest digest(char digit) {
    return *oci::Digest::parse("sha256:" + std::string(64, digit));
  }
  static std::string list(const std::string& descriptors) {
    return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
           descriptors + "]}";
  }

  FreshLists fresh_;
  KeptLists lists_{services_};
  const Source from_ = source(kTeam);
  const oci::Digest subject_ = digest('5');
  FreshnessPolicy policy_;
};

TEST_F(KeptListsTest, AWholeListIsFreshForAsLongAsTags) {
  EXPECT_EQ(fresh(), std::nullopt);
  keep("", {.tags = {"a", "b"}});
  EXPECT_EQ(fresh(), (Tags{"a", "b"}));
  clock_.advance(59s);
  EXPECT_EQ(fresh(), (Tags{"a", "b"}));
  clock_.advance(1s);
  EXPECT_EQ(fresh(), std::nullopt);
  EXPECT_EQ(known(), (Tags{"a", "b"}));
  policy_.fresh_for = 2min;
  EXPECT_EQ(fresh(), (Tags{"a", "b"})) << "by another route";
  policy_.fresh_for = 0ms;
  EXPECT_EQ(fresh(), std::nullopt);
}

TEST_F(KeptListsTest, AnEmptyListIsFreshToo) {
  keep("", {});
  EXPECT_EQ(fresh(), Tags{});
}

TEST_F(KeptListsTest, PagesAreNeverFresh) {
  keep("n=2", {.tags = {"a", "b"}, .has_more = true});
  keep("n=2&last=b", {.tags = {"c"}});
  EXPECT_EQ(known(), (Tags{"a", "b", "c"}));
  EXPECT_EQ(fresh(), std::nullopt);
}

TEST_F(KeptListsTest, APageThatTellsOfAnotherListEndsTheFreshness) {
  keep("", {.tags = {"a", "b"}});
  keep("n=1", {.tags = {"b"}, .has_more = true});
  EXPECT_EQ(known(), Tags{"b"});
  EXPECT_EQ(fresh(), std::nullopt);
}

TEST_F(KeptListsTest, OneRepositorysListIsNoOthers) {
  keep("", {.tags = {"a"}});
  EXPECT_EQ(run(lists_.fresh_tags(source(kOther), policy_)), std::nullopt);
}

TEST_F(KeptListsTest, APushedTagIsInTheListAtOnceAndTheListIsAskedForAnew) {
  keep("", {.tags = {"a", "c"}});
  wait(lists_.add_tag(from_, "b"));
  EXPECT_EQ(fresh(), std::nullopt);
  EXPECT_EQ(known(), (Tags{"a", "b", "c"}));
  wait(lists_.remove_tag(from_, "a"));
  EXPECT_EQ(known(), (Tags{"b", "c"}));
  keep("", {.tags = {"b", "c"}});
  EXPECT_EQ(fresh(), (Tags{"b", "c"}));
}

TEST_F(KeptListsTest, APushIsNoWordOfTheUpstreamsOnTheRest) {
  policy_.stale_if_error = 1h;
  keep("", {.tags = {"a"}});
  clock_.advance(59min);
  wait(lists_.add_tag(from_, "b"));
  EXPECT_EQ(known(), (Tags{"a", "b"}));
  clock_.advance(1min);
  EXPECT_EQ(known(), std::nullopt);
}

TEST_F(KeptListsTest, OfAListThatIsNotKnownAPushMakesNone) {
  wait(lists_.add_tag(from_, "a"));
  wait(lists_.remove_tag(from_, "a"));
  wait(lists_.remove_referrer(from_, subject_, digest('1')));
  EXPECT_EQ(known(), std::nullopt);
  EXPECT_EQ(known_referrers(), std::nullopt);
}

TEST_F(KeptListsTest, AnAnswerThatAPushHasOvertakenIsNotKept) {
  keep("", {.tags = {"a"}});
  const auto asked = lists_.asking_for_tags(from_);
  wait(lists_.add_tag(from_, "b"));
  wait(lists_.keep_tags(from_, {}, {.tags = {"a"}}, asked));
  EXPECT_EQ(known(), (Tags{"a", "b"}));
  EXPECT_EQ(fresh(), std::nullopt);
}

TEST_F(KeptListsTest, WithoutAMemoryNothingIsFresh) {
  services_.lists = nullptr;
  keep("", {.tags = {"a"}});
  wait(lists_.add_tag(from_, "b"));
  EXPECT_EQ(known(), (Tags{"a", "b"}));
  EXPECT_EQ(fresh(), std::nullopt);
}

TEST_F(KeptListsTest, ReferrersAreFreshWhereTheyAreComplete) {
  const std::string one = list(R"({"digest":")" + digest('1').str() + R"("})");
  wait(lists_.keep_referrers(from_, subject_, one, false,
                             lists_.asking_for_referrers(from_, subject_)));
  EXPECT_EQ(known_referrers(), one);
  EXPECT_EQ(fresh_referrers(), std::nullopt);
  keep_referrers(one);
  EXPECT_EQ(fresh_referrers(), one);
}

// Where a registry has no API for them, clients push the list themselves.
TEST_F(KeptListsTest, ReferrersThatArePushedAsATagAreNotFresh) {
  const std::string tag = "sha256-" + std::string(64, '5');
  keep_referrers(list(""));
  wait(lists_.add_tag(from_, "sha256-" + std::string(64, '6')));
  EXPECT_EQ(fresh_referrers(), list(""));
  wait(lists_.add_tag(from_, tag));
  EXPECT_EQ(fresh_referrers(), std::nullopt);
  keep_referrers(list(""));
  wait(lists_.remove_tag(from_, tag));
  EXPECT_EQ(fresh_referrers(), std::nullopt);
  EXPECT_EQ(known_referrers(), list(""));
}

TEST_F(KeptListsTest, ReferrersFollowPushesAndDeletions) {
  keep_referrers(list(""));
  const auto manifest = std::make_shared<const std::string>(
      R"({"schemaVersion":2,"artifactType":"sig","config":{"mediaType":"m","digest":")" +
      digest('c').str() + R"(","size":2},"layers":[],"subject":{"mediaType":"m","digest":")" +
      subject_.str() + R"(","size":3}})");
  wait(lists_.add_referrer(from_, subject_, digest('1'), std::string(oci::kOciManifest), manifest));
  EXPECT_EQ(fresh_referrers(), std::nullopt);
  EXPECT_EQ(known_referrers(),
            list(*oci::describe_referrer(digest('1'), oci::kOciManifest, *manifest)));
  const auto asked = lists_.asking_for_referrers(from_, subject_);
  wait(lists_.remove_referrer(from_, subject_, digest('1')));
  EXPECT_EQ(known_referrers(), list(""));
  wait(lists_.keep_referrers(from_, subject_, list(""), true, asked));
  EXPECT_EQ(fresh_referrers(), std::nullopt) << "asked for before the deletion";
}

}  // namespace
}  // namespace fairlead::cache
