// SPDX-License-Identifier: Apache-2.0
// Requests whose bodies are sent as they come.
#include "upstream/streamed_request_fixture.h"

namespace fairlead::upstream {
namespace {

TEST_F(StreamedRequestTest, SendsWhatComesWithItsLength) {
  for (const std::string method : {"PATCH", "PUT", "POST"}) {
    producer_ = std::make_shared<Producer>(context_);
    const std::string body = numbers(std::size_t{5} << 20);
    give(body);
    producer_->end();
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = send(request(body.size(), method));
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ((*answer)->status(), 202);
    EXPECT_EQ(read_all(**answer), "");
    const ReceivedRequest& received = server_.requests().back();
    EXPECT_EQ(received.method, method);
    EXPECT_EQ(received.header("Content-Length"), std::to_string(body.size()));
    EXPECT_EQ(received.header("Transfer-Encoding"), "");
    EXPECT_EQ(received.header("Content-Type"), "");
    EXPECT_EQ(received.header("Expect"), "100-continue");
    EXPECT_TRUE(received.body == body);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 900ms) << "it waited for 100 Continue";
  }
  EXPECT_EQ(server_.connections(), 1u) << "a connection that was used up to the end is kept";
}

TEST_F(StreamedRequestTest, SendsChunksWhereTheLengthIsNotKnown) {
  const std::string body = numbers((std::size_t{5} << 20) + 7);
  give(body);
  producer_->end();
  const auto answer = send(request(std::nullopt));
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(read_all(**answer), "");
  EXPECT_EQ(server_.requests()[0].header("Transfer-Encoding"), "chunked");
  EXPECT_EQ(server_.requests()[0].header("Content-Length"), "");
  EXPECT_TRUE(server_.requests()[0].body == body);
}

TEST_F(StreamedRequestTest, AnEmptyBodyIsABodyToo) {
  producer_->end();
  ASSERT_TRUE(send(request(0)));
  EXPECT_EQ(server_.requests()[0].header("Content-Length"), "0");
  EXPECT_EQ(server_.requests()[0].header("Expect"), "");
  ASSERT_TRUE(send(request(std::nullopt)));
  EXPECT_EQ(server_.requests()[1].header("Transfer-Encoding"), "chunked");
  EXPECT_EQ(server_.requests()[1].body, "");
}

TEST_F(StreamedRequestTest, PassesOnWhatASlowProducerGivesAtOnce) {
  for (const auto length : {std::optional<std::uint64_t>(9), std::optional<std::uint64_t>()}) {
    producer_ = std::make_shared<Producer>(context_);
    receive({.hold_after = 3});
    const auto before = server_.requests().size();
    HttpRequest slow = request(length);
    slow.timeouts = {.connect = 50ms, .first_byte = 50ms, .stall = 50ms};
    begin_sending(std::move(slow));
    for (const char* piece : {"one", "two", "six"}) {
      run_for(120ms);
      ASSERT_FALSE(response_) << "waiting for the client is no fault of the server's";
      producer_->give(piece);
      server_.release();
    }
    producer_->end();
    run_for(20ms);
    server_.release();
    const auto answer = response();
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(server_.requests().at(before).body, "onetwosix");
  }
}

TEST_F(StreamedRequestTest, ABodyThatBreaksOffIsCutOffAndItsErrorIsTheAnswer) {
  for (const auto length : {std::optional<std::uint64_t>(100), std::optional<std::uint64_t>()}) {
    producer_ = std::make_shared<Producer>(context_);
    const auto cut_off = server_.cut_off();
    give("half of it");
    begin_sending(request(length));
    run_until([&] { return producer_->reads() == 2; });
    producer_->fail(client_error(Code::Cancelled, "it went away").error());
    const auto answer = response();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::Cancelled);
    EXPECT_EQ(answer.error().origin, Origin::Client);
    EXPECT_EQ(answer.error().context, "it went away");
    run_until([&] { return server_.cut_off() == cut_off + 1; });
  }
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(StreamedRequestTest, ABodyOfAnotherLengthIsCutOff) {
  for (const std::vector<std::string>& pieces :
       {std::vector<std::string>{"123"}, {"12345"}, {"1234", "5"}, {"12", "345"}}) {
    producer_ = std::make_shared<Producer>(context_);
    const auto cut_off = server_.cut_off();
    for (const auto& piece : pieces) give(piece);
    producer_->end();
    const auto answer = send(request(4));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::InvalidArgument);
    EXPECT_EQ(answer.error().origin, Origin::Client);
    run_until([&] { return server_.cut_off() == cut_off + 1; });
  }
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(StreamedRequestTest, AnAnswerBeforeTheBodyIsTheAnswer) {
  receive({.answers_after = 0});
  for (const int status : {401, 413}) {
    reply_ = {.status = status, .body = "no"};
    const auto answer = send(request(100));
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ((*answer)->status(), status);
    EXPECT_EQ(read_all(**answer), "no");
  }
  EXPECT_EQ(producer_->reads(), 0);
}

TEST_F(StreamedRequestTest, AnAnswerWithinTheBodyIsTheAnswerAndSendingStops) {
  receive({.answers_after = 10});
  for (const int status : {413, 201}) {
    for (const auto length : {std::optional<std::uint64_t>(100), std::optional<std::uint64_t>()}) {
      producer_ = std::make_shared<Producer>(context_);
      reply_ = {.status = status, .body = "enough"};
      give("0123456789");
      const auto answer = send(request(length));  // the client's next byte never comes
      ASSERT_TRUE(answer) << answer.error().context;
      EXPECT_EQ((*answer)->status(), status);
      const auto body = read_all(**answer);
      ASSERT_TRUE(body) << body.error().context;
      if (status == 413) EXPECT_EQ(*body, "enough");
      EXPECT_EQ(producer_->reads(), 2);
    }
  }
}

TEST_F(StreamedRequestTest, AServerThatDoesNotReadMakesTheProducerWait) {
  receive({.hold_after = 1});
  const std::string body = numbers(std::size_t{48} << 20);
  give(body);
  producer_->end();
  begin_sending(request(body.size()));
  run_for(300ms);
  const std::size_t given = producer_->given();
  EXPECT_LT(given, std::size_t{24} << 20) << "more than the kernel's buffers hold";
  run_for(100ms);
  EXPECT_EQ(producer_->given(), given);
  server_.release();
  const auto answer = response();
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_TRUE(server_.requests()[0].body == body);
}

TEST_F(StreamedRequestTest, AServerThatStallsIsATimeout) {
  receive({.hold_after = 1});
  give(numbers(std::size_t{48} << 20));
  HttpRequest stalled = request(std::nullopt);
  stalled.timeouts = {.connect = 100ms, .first_byte = 10s, .stall = 200ms};
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = send(std::move(stalled));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Timeout);
  EXPECT_EQ(answer.error().origin, Origin::Upstream);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
}

TEST_F(StreamedRequestTest, AServerThatDoesNotAnswerIsATimeout) {
  reply_.holds_head = true;
  give("body");
  producer_->end();
  HttpRequest silent = request(4);
  silent.timeouts = {.connect = 100ms, .first_byte = 200ms, .stall = 10s};
  const auto answer = send(std::move(silent));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Timeout);
  EXPECT_EQ(server_.requests().at(0).body, "body");
}

TEST_F(StreamedRequestTest, AConnectionThatEndsWithinTheBodyIsNotWaitedFor) {
  receive({.hold_after = 4});
  give("body");
  begin_sending(request(100));
  run_until([&] { return producer_->reads() == 2; });
  server_.close();
  const auto answer = response();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unavailable);
  EXPECT_EQ(answer.error().retry, Retry::Yes);
}

// A kept connection that dies without an answer: libcurl would go to another, with the rest.
TEST_F(StreamedRequestTest, AStreamIsNeverSentWithAHole) {
  for (const bool is_taken : {true, false}) {
    producer_ = std::make_shared<Producer>(context_);
    server_.receive_with({});
    const auto first = send({.method = "GET", .url = server_.url() + "/u"});
    ASSERT_TRUE(first);
    EXPECT_EQ(read_all(**first), "");
    const auto connections = server_.connections();
    const auto before = server_.requests().size();
    bool is_there = false;
    server_.receive_with([&](const ReceivedRequest&) {
      is_there = true;
      return ScriptedReception{.sends_continue = !is_taken, .holds_continue = true};
    });
    give("first half");
    begin_sending(request(20));
    run_until([&] { return is_taken ? producer_->reads() == 2 : is_there; });
    run_for(20ms);
    server_.receive_with({});
    server_.cut();
    producer_->give("other half");
    producer_->end();
    const auto answer = response();
    if (is_taken) {
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error().code, Code::Unavailable);
      EXPECT_EQ(answer.error().retry, Retry::Yes);
      EXPECT_EQ(server_.requests().size(), before);
    } else {
      ASSERT_TRUE(answer) << answer.error().context;
      EXPECT_EQ(server_.connections(), connections + 1);
      EXPECT_EQ(server_.requests().back().body, "first halfother half");
    }
  }
}

TEST_F(StreamedRequestTest, EndsWithTheTransport) {
  begin_sending(request(100));
  run_until([&] { return producer_->reads() == 1; });
  transport_.close();
  const auto answer = response();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Cancelled);
}

}  // namespace
}  // namespace fairlead::upstream
