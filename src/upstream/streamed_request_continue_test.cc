// SPDX-License-Identifier: Apache-2.0
// When a streamed body begins to be sent: Expect: 100-continue, and what servers make of it.
#include "upstream/streamed_request_fixture.h"

namespace fairlead::upstream {
namespace {

TEST_F(StreamedRequestTest, ReadsNothingBeforeTheServerWantsIt) {
  receive({.holds_continue = true});
  give("body");
  producer_->end();
  begin_sending(request(4));
  run_for(300ms);
  EXPECT_EQ(producer_->reads(), 0);
  server_.release();
  const auto answer = response();
  ASSERT_TRUE(answer);
  EXPECT_FALSE((*answer)->ignored_expectation());
  EXPECT_EQ(server_.requests()[0].body, "body");
}

TEST_F(StreamedRequestTest, AServerThatSaysNothingGetsTheBodyAfterASecond) {
  receive({.sends_continue = false});
  for (const auto length : {std::optional<std::uint64_t>(4), std::optional<std::uint64_t>()}) {
    producer_ = std::make_shared<Producer>(context_);
    give("body");
    producer_->end();
    const auto begun = std::chrono::steady_clock::now();
    begin_sending(request(length));
    run_for(500ms);
    EXPECT_EQ(producer_->reads(), 0);
    const auto answer = response();
    ASSERT_TRUE(answer);
    EXPECT_TRUE((*answer)->ignored_expectation());
    EXPECT_EQ(server_.requests().back().body, "body");
    EXPECT_GE(std::chrono::steady_clock::now() - begun, 900ms);
  }
}

TEST_F(StreamedRequestTest, WhereNothingIsExpectedTheBodyGoesAtOnce) {
  receive({.sends_continue = false});
  give("body");
  producer_->end();
  HttpRequest unasked = request(std::nullopt);
  unasked.expects_continue = false;
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = send(std::move(unasked));
  ASSERT_TRUE(answer);
  EXPECT_FALSE((*answer)->ignored_expectation());
  EXPECT_EQ(server_.requests()[0].header("Expect"), "");
  EXPECT_EQ(server_.requests()[0].body, "body");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 900ms);
}

TEST_F(StreamedRequestTest, AServerThatRefusesTheExpectationIsAskedWithout) {
  server_.receive_with([](const ReceivedRequest& received) {
    const bool is_expected = !received.header("Expect").empty();
    return is_expected ? ScriptedReception{.answers_after = 0} : ScriptedReception{};
  });
  ScriptedHttpServer& server = server_;
  give("body");
  producer_->end();
  reply_ = {.status = 417};
  begin_sending(request(4));
  run_until([&] { return !server.requests().empty(); });
  reply_ = {.status = 202};
  const auto answer = response();
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ((*answer)->status(), 202);
  EXPECT_TRUE((*answer)->ignored_expectation());
  EXPECT_EQ(server.requests().back().body, "body");
  EXPECT_EQ(server.requests().size(), 2u);
}

}  // namespace
}  // namespace fairlead::upstream
