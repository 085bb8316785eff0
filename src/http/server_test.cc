// SPDX-License-Identifier: Apache-2.0
// Requests and answers over real sockets: framing, bodies, limits.
#include "http/server.h"

#include <gtest/gtest.h>

#include "http/server_fixture.h"

namespace fairlead::http {
namespace {

using ServerTest = ServerFixture;

TEST_F(ServerTest, AnswersRequestAfterRequestOnOneConnection) {
  Client client(start());
  for (const std::string target : {"/a", "/b?c=d"}) {
    const auto response = client.get(target);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "GET " + target);
    EXPECT_TRUE(response.has("\r\nDate: "));
    EXPECT_FALSE(response.has("Connection: close"));
  }
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Client client(start());
  ASSERT_TRUE(client.send(
      "GET /1 HTTP/1.1\r\nHost: t\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"
      "\r\nPOST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_EQ(client.response().body, "GET /1");
  EXPECT_EQ(client.response().body, "hello");
  EXPECT_EQ(client.response().body, "hi");
  EXPECT_EQ(client.response().body, "GET /4");
}

TEST_F(ServerTest, ARequestMayArriveByteByByte) {
  Client client(start());
  for (const char c : std::string("GET /a HTTP/1.1\r\nHost: t\r\n\r\n")) {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_EQ(client.response().body, "GET /a");
}

TEST_F(ServerTest, HeadHasTheLengthAndNoBody) {
  Client client(start());
  ASSERT_TRUE(client.send("HEAD /a HTTP/1.1\r\nHost: t\r\n\r\n"));
  const auto head = client.response(true);
  EXPECT_TRUE(head.has("\r\nContent-Length: 7\r\n"));
  EXPECT_EQ(client.get("/b").body, "GET /b") << "bytes of a body that should not be there";
}

TEST_F(ServerTest, BodiesOfRequestsAreReadWhole) {
  Client client(start());
  const std::string large = file_bytes_.substr(0, 300'000);
  ASSERT_TRUE(
      client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 300000\r\n\r\n" + large));
  EXPECT_TRUE(client.response().body == large);
  ASSERT_TRUE(
      client.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "493e0\r\n" +
                  large + "\r\n0\r\n\r\n"));
  EXPECT_TRUE(client.response().body == large);
  EXPECT_EQ(client.get("/next").body, "GET /next");
}

TEST_F(ServerTest, AMalformedBodyIsRefusedAndTheConnectionEnds) {
  Client client(start());
  ASSERT_TRUE(
      client.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "zz\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_EQ(client.response().status, 400);
  EXPECT_TRUE(client.is_closed_by_server());
}

// The attack: a body that nobody reads and that looks like a request.
TEST_F(ServerTest, ABodyThatNobodyReadIsNeverTakenForARequest) {
  Client client(start());
  const std::string inner = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n";
  ASSERT_TRUE(client.send("POST /unread HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                          std::to_string(inner.size()) + "\r\n\r\n" + inner));
  EXPECT_EQ(client.response().body, "POST /unread");
  EXPECT_EQ(client.get("/next").body, "GET /next");
}

TEST_F(ServerTest, ALongBodyThatNobodyReadEndsTheConnectionAfterTheAnswer) {
  Client client(start());
  ASSERT_TRUE(client.send("POST /unread HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999\r\n\r\n"));
  EXPECT_EQ(client.response().body, "POST /unread");
  client.send(std::string(200'000, 'x'));
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerTest, SaysContinueOnceTheBodyIsWanted) {
  Client client(start());
  ASSERT_TRUE(client.send(
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.response().status, 100);
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(client.response().body, "hello");
  EXPECT_EQ(client.get("/next").body, "GET /next");
}

TEST_F(ServerTest, DoesNotAskForABodyThatIsNotWanted) {
  Client client(start());
  ASSERT_TRUE(client.send(
      "POST /unread HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.response().status, 200);
  EXPECT_TRUE(client.is_closed_by_server()) << "whether a body follows is not known";
}

TEST_F(ServerTest, AHeadOverTheLimitIs431) {
  options_.limits.header_bytes = 1024;
  const std::string address = start();
  Client within(address);
  EXPECT_EQ(within.get("/a", "X: " + std::string(900, 'x') + "\r\n").status, 200);
  for (const bool is_complete : {true, false}) {
    Client over(address);
    over.send("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(2000, 'x') +
              (is_complete ? "\r\n\r\n" : ""));
    const auto response = over.response();
    EXPECT_EQ(response.status, 431);
    EXPECT_TRUE(response.has("\r\nConnection: close\r\n"));
    EXPECT_TRUE(over.is_closed_by_server());
  }
}

TEST_F(ServerTest, AMalformedRequestIs400AndNothingBehindItIsRead) {
  Client client(start());
  ASSERT_TRUE(
      client.send("GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: "
                  "chunked\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_EQ(client.response().status, 400);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST_F(ServerTest, Http10IsServedAndClosed) {
  const std::string address = start();
  Client client(address);
  ASSERT_TRUE(client.send("GET /a HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(client.response().body, "GET /a");
  EXPECT_TRUE(client.is_closed_by_server());

  Client kept(address);
  ASSERT_TRUE(kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(kept.response().has("\r\nConnection: keep-alive\r\n"));
  ASSERT_TRUE(kept.send("GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const auto pieces = kept.response();
  EXPECT_FALSE(pieces.has("chunked")) << "HTTP/1.0 has no chunks";
  EXPECT_EQ(pieces.body.size(), 100'008u) << "its end is the connection's";
}

TEST_F(ServerTest, ABodyOfUnknownLengthComesInChunks) {
  Client client(start());
  const auto response = client.get("/pieces");
  EXPECT_TRUE(response.is_complete);
  EXPECT_TRUE(response.body == "one " + file_bytes_.substr(0, 100'000) + " two");
  EXPECT_EQ(client.get("/next").body, "GET /next");
}

TEST_F(ServerTest, AClientThatReadsSlowlyGetsEveryByteAndDelaysNobody) {
  const std::string address = start();
  Client slow(address, 32 * 1024);
  ASSERT_TRUE(slow.send("GET /file HTTP/1.1\r\nHost: t\r\n\r\n"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Client(address).get("/a").body, "GET /a");
  const auto response = slow.response();
  EXPECT_TRUE(response.is_complete);
  EXPECT_TRUE(response.body == file_bytes_);
}

TEST_F(ServerTest, AnAnswerThatEndsEarlyCutsTheConnection) {
  const std::string address = start();
  for (const std::string target : {"/short", "/short?end", "/short-pieces"}) {
    Client client(address);
    const auto response = client.get(target);
    EXPECT_EQ(response.body, "0123456789");
    EXPECT_FALSE(response.is_complete) << target;
    EXPECT_TRUE(client.is_closed_by_server());
  }
}

TEST_F(ServerTest, AClientThatLeavesDisturbsNobody) {
  const std::string address = start();
  for (int i = 0; i < 8; ++i) {
    Client leaving(address, 4096);
    ASSERT_TRUE(leaving.send("GET /file HTTP/1.1\r\nHost: t\r\n\r\n"));
    EXPECT_EQ(leaving.receive(10).size(), 10u);
  }
  EXPECT_EQ(Client(address).get("/a").body, "GET /a");
}

}  // namespace
}  // namespace fairlead::http
