// SPDX-License-Identifier: Apache-2.0
#include "auth/jwks_source.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <string>
#include <thread>

#include "auth/fake_issuer.h"
#include "auth/fake_key_fetcher.h"
#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;

const std::string kUrl = "https://idp/keys";

std::string key_set(const std::vector<std::string>& kids) {
  std::string keys;
  for (const std::string& kid : kids) {
    keys += (keys.empty() ? "" : ",") + p256_pair().jwk(R"(,"kid":")" + kid + '"');
  }
  return R"({"keys":[)" + keys + "]}";
}

class JwksSourceTest : public fairlead::testing::CoroutineTest {
 protected:
  static JwtHeader header(const std::string& kid, JwtAlgorithm algorithm = JwtAlgorithm::ES256) {
    return {.algorithm = algorithm, .kid = kid};
  }
  void publish(const std::vector<std::string>& kids) { fetcher_.documents[kUrl] = key_set(kids); }
  // "a b": the ids of the keys; or the error's code.
  static std::string text(const Result<KeySet>& keys) {
    if (!keys) return std::string(to_string(keys.error().code));
    std::string kids;
    for (const SignatureKey& key : **keys) kids += (kids.empty() ? "" : " ") + key.kid();
    return kids;
  }
  std::string keys(const std::string& kid) {
    return text(run(source_.keys(header(kid), fetcher_)));
  }
  std::size_t fetches() const { return fetcher_.fetched.size(); }

  testing::ManualClock clock_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  FakeKeyFetcher fetcher_;
  JwksSource source_{kUrl, std::nullopt, clock_, log_};
};

TEST_F(JwksSourceTest, NothingIsFetchedBeforeTheFirstToken) {
  publish({"a"});
  run_for(1ms);
  EXPECT_EQ(fetches(), 0u);
  EXPECT_EQ(keys("a"), "a");
  EXPECT_EQ(fetcher_.fetched, std::vector<std::string>{kUrl});
}

TEST_F(JwksSourceTest, RemembersForTenMinutes) {
  publish({"a"});
  keys("a");
  clock_.advance(10min - 1s);
  publish({"b"});
  EXPECT_EQ(keys("a"), "a");
  EXPECT_EQ(fetches(), 1u);
  clock_.advance(1s);
  EXPECT_EQ(keys("a"), "b") << "a key that is no longer published is no longer good";
  EXPECT_EQ(fetches(), 2u);
}

TEST_F(JwksSourceTest, AnUnknownKeyIsLookedForAtMostOnceInThirtySeconds) {
  publish({"a"});
  keys("a");
  publish({"a", "b"});
  EXPECT_EQ(keys("b"), "a") << "the keys were fetched just now";
  clock_.advance(29s);
  EXPECT_EQ(keys("b"), "a");
  EXPECT_EQ(fetches(), 1u);
  clock_.advance(1s);
  EXPECT_EQ(keys("b"), "a b");
  EXPECT_EQ(fetches(), 2u);
  // The attack: invented key ids.
  for (int i = 0; i < 1000; ++i) keys("invented" + std::to_string(i));
  EXPECT_EQ(fetches(), 2u);
  clock_.advance(30s);
  for (int i = 0; i < 1000; ++i) keys("invented" + std::to_string(i));
  EXPECT_EQ(fetches(), 3u);
}

TEST_F(JwksSourceTest, AnotherAlgorithmIsAnUnknownKeyToo) {
  publish({"a"});
  keys("a");
  clock_.advance(30s);
  fetcher_.documents[kUrl] = R"({"keys":[)" + rsa_pair().jwk() + "]}";
  const auto found = run(source_.keys(header("", JwtAlgorithm::RS256), fetcher_));
  ASSERT_TRUE(found);
  ASSERT_EQ((*found)->size(), 1u);
  EXPECT_EQ((*found)->front().algorithm(), JwtAlgorithm::RS256);
}

TEST_F(JwksSourceTest, ManyShareOneFetch) {
  publish({"a"});
  fetcher_.holds = true;
  std::vector<std::optional<Result<KeySet>>> answers(20);
  for (auto& answer : answers) begin(source_.keys(header("a"), fetcher_), answer);
  run_until([&] { return fetches() == 1; });
  run_for(5ms);
  EXPECT_FALSE(answers.front());
  fetcher_.release();
  for (auto& answer : answers) {
    run_until([&] { return answer.has_value(); });
    EXPECT_EQ(text(*answer), "a");
  }
  EXPECT_EQ(fetches(), 1u);
}

TEST_F(JwksSourceTest, AnUnknownKeyJoinsTheFetchThatIsUnderWay) {
  publish({"a"});
  keys("a");
  clock_.advance(30s);
  publish({"a", "b"});
  fetcher_.holds = true;
  std::optional<Result<KeySet>> first;
  std::optional<Result<KeySet>> second;
  begin(source_.keys(header("b"), fetcher_), first);
  run_until([&] { return fetches() == 2; });
  begin(source_.keys(header("b"), fetcher_), second);
  run_for(5ms);
  EXPECT_FALSE(second) << "the new key may just be coming";
  EXPECT_EQ(keys("a"), "a") << "who has a key does not wait";
  fetcher_.release();
  run_until([&] { return first && second; });
  EXPECT_EQ(text(*first), "a b");
  EXPECT_EQ(text(*second), "a b");
  EXPECT_EQ(fetches(), 2u);
}

// Who waited has not gone on yet, and the next unknown key comes already: no fetch is under way.
TEST_F(JwksSourceTest, TokensThatKeepComingMakeNoMoreFetches) {
  publish({"a"});
  keys("a");
  clock_.advance(30s);
  fetcher_.holds = true;
  std::vector<std::optional<Result<KeySet>>> answers(100);
  begin(source_.keys(header("x"), fetcher_), answers[0]);
  run_until([&] { return fetches() == 2; });
  fetcher_.release();
  for (std::size_t i = 1; i < answers.size(); ++i) {
    begin(source_.keys(header("x"), fetcher_), answers[i]);
    context_.restart();
    context_.poll_one();
  }
  run_until([&] {
    return std::ranges::all_of(answers, [](const auto& answer) { return answer.has_value(); });
  });
  EXPECT_EQ(fetches(), 2u);
}

TEST_F(JwksSourceTest, OldKeysDoNotMakeOthersWait) {
  publish({"a"});
  keys("a");
  clock_.advance(11min);
  fetcher_.holds = true;
  std::optional<Result<KeySet>> first;
  begin(source_.keys(header("a"), fetcher_), first);
  run_until([&] { return fetches() == 2; });
  EXPECT_EQ(keys("a"), "a");
  EXPECT_FALSE(first);
  fetcher_.release();
  run_until([&] { return first.has_value(); });
}

TEST_F(JwksSourceTest, AFailureKeepsTheOldKeysForADay) {
  publish({"a"});
  keys("a");
  fetcher_.documents.clear();
  clock_.advance(11min);
  EXPECT_EQ(keys("a"), "a");
  EXPECT_EQ(keys("a"), "a");
  EXPECT_EQ(fetches(), 2u) << "it is not tried again at once";
  clock_.advance(30s);
  fetcher_.documents[kUrl] = "<html>";
  EXPECT_EQ(keys("a"), "a");
  EXPECT_EQ(fetches(), 3u);
  fetcher_.documents.clear();
  clock_.advance(23h);
  EXPECT_EQ(keys("a"), "a");
  clock_.advance(1h);
  EXPECT_EQ(keys("a"), "unavailable");
  publish({"b"});
  clock_.advance(JwksSource::kFirstPause);
  EXPECT_EQ(keys("a"), "b");
}

TEST_F(JwksSourceTest, WithoutKeysItIsTriedAgainSoon) {
  EXPECT_EQ(keys("a"), "unavailable");
  publish({"a"});
  EXPECT_EQ(keys("a"), "unavailable");
  EXPECT_EQ(fetches(), 1u);
  clock_.advance(JwksSource::kFirstPause);
  EXPECT_EQ(keys("a"), "a");
  EXPECT_EQ(fetches(), 2u);
}

TEST_F(JwksSourceTest, ADocumentThatIsNoneIsAnError) {
  fetcher_.documents[kUrl] = "<html>";
  EXPECT_EQ(keys("a"), "corrupt");
  EXPECT_EQ(keys("a"), "corrupt");
  EXPECT_EQ(fetches(), 1u);
}

TEST_F(JwksSourceTest, AnIssuerThatWithdrawsItsKeysIsBelieved) {
  publish({"a"});
  keys("a");
  publish({});
  clock_.advance(11min);
  EXPECT_EQ(keys("a"), "");
}

// The attack: a token with an invented key id, and hang up while the keys are fetched.
TEST_F(JwksSourceTest, WhoGoesAwayDoesNotKeepOthersFromTheirKeys) {
  publish({"a"});
  keys("a");
  clock_.advance(30s);
  publish({"a", "b"});
  fetcher_.holds = true;
  boost::asio::cancellation_signal hang_up;
  bool is_gone = false;
  boost::asio::co_spawn(
      context_.get_executor(), source_.keys(header("x"), fetcher_),
      boost::asio::bind_cancellation_slot(
          hang_up.slot(), [&](const std::exception_ptr&, const auto&) { is_gone = true; }));
  run_until([&] { return fetches() == 2; });
  hang_up.emit(boost::asio::cancellation_type::terminal);
  run_until([&] { return is_gone; });
  fetcher_.holds = false;
  EXPECT_EQ(keys("b"), "a b");
  EXPECT_EQ(fetches(), 3u);
}

// For the thread sanitizer: workers ask at once, while the keys change and go away.
TEST_F(JwksSourceTest, WorkersShareIt) {
  std::atomic<int> answered = 0;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([this, worker, &answered] {
      boost::asio::io_context context{1};
      FakeKeyFetcher fetcher;
      for (int i = 0; i < 200; ++i) {
        fetcher.documents.clear();
        if (i % 3 != 0) fetcher.documents[kUrl] = key_set({"a", std::to_string(i)});
        const std::string kid = i % 2 == 0 ? "a" : "unknown" + std::to_string(worker);
        boost::asio::co_spawn(context, source_.keys(header(kid), fetcher),
                              [&](const std::exception_ptr& thrown, const Result<KeySet>&) {
                                answered += thrown ? 0 : 1;
                              });
        context.restart();
        context.run();
        clock_.advance(20s);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(answered, 800);
  publish({"last"});
  clock_.advance(25h);
  EXPECT_EQ(keys("last"), "last");
}

}  // namespace
}  // namespace fairlead::auth
