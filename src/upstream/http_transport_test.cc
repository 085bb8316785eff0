// SPDX-License-Identifier: Apache-2.0
#include "upstream/http_transport.h"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "testing/coroutine_test.h"
#include "testing/scripted_http_server.h"

namespace fairlead::upstream {
namespace {

using namespace std::chrono_literals;
using fairlead::testing::ReceivedRequest;
using fairlead::testing::ScriptedHttpServer;
using fairlead::testing::ScriptedReply;

class HttpTransportTest : public fairlead::testing::CoroutineTest {
 protected:
  using Response = std::unique_ptr<HttpResponse>;

  Result<Response> send(HttpRequest request) { return run(transport_.send(std::move(request))); }
  Result<Response> get(const std::string& path, bool is_bulk = false) {
    return send({.url = server_.url() + path, .is_bulk = is_bulk});
  }
  Result<std::string> read(HttpResponse& response) {
    auto piece = run(response.read());
    if (!piece) return std::unexpected(piece.error());
    return std::string(as_text(*piece));
  }
  Result<std::string> read_all(HttpResponse& response) {
    std::string whole;
    for (;;) {
      auto piece = read(response);
      if (!piece || piece->empty()) return piece ? Result<std::string>(whole) : piece;
      whole += *piece;
    }
  }

  ScriptedReply reply_;
  ScriptedHttpServer server_{context_, [this](const ReceivedRequest&) { return reply_; }};
  HttpTransport transport_{context_.get_executor()};
};

TEST_F(HttpTransportTest, DeliversHeadAndBody) {
  reply_ = {.status = 404, .headers = {{"X-A", "1"}, {"x-a", "2"}}, .body = "hello"};
  const auto response = get("/path?query=%2F");
  ASSERT_TRUE(response) << response.error().context;
  EXPECT_EQ((*response)->status(), 404);
  EXPECT_EQ((*response)->headers().find("X-a"), "1");
  EXPECT_EQ((*response)->headers().find_all("X-A"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(read_all(**response), "hello");
  EXPECT_EQ(read(**response), "");
  const ReceivedRequest& request = server_.requests().at(0);
  EXPECT_EQ(request.target, "/path?query=%2F");
  EXPECT_EQ(request.header("Accept-Encoding"), "identity");
  EXPECT_TRUE(request.header("User-Agent").starts_with("fairlead/"));
}

TEST_F(HttpTransportTest, SendsHeadAndPost) {
  reply_ = {.content_length = 12345};
  const auto head = send({.method = "HEAD", .url = server_.url() + "/"});
  ASSERT_TRUE(head);
  EXPECT_EQ((*head)->headers().find("content-length"), "12345");
  EXPECT_EQ(read_all(**head), "");
  reply_ = {.body = "ok"};
  const auto post = send({.method = "POST", .url = server_.url() + "/t", .body = "a=b"});
  ASSERT_TRUE(post);
  EXPECT_EQ(server_.requests().at(1).method, "POST");
  EXPECT_EQ(server_.requests().at(1).body, "a=b");
}

TEST_F(HttpTransportTest, SendsPut) {
  for (const std::string body : {"", "a=b"}) {
    const auto put = send({.method = "PUT", .url = server_.url() + "/t", .body = body});
    ASSERT_TRUE(put) << put.error().context;
    EXPECT_EQ(server_.requests().back().method, "PUT");
    EXPECT_EQ(server_.requests().back().header("Content-Length"), std::to_string(body.size()));
    EXPECT_EQ(server_.requests().back().body, body);
  }
}

TEST_F(HttpTransportTest, SendsDelete) {
  reply_ = {.status = 204};
  const auto answer = send({.method = "DELETE", .url = server_.url() + "/t"});
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)->status(), 204);
  EXPECT_EQ(read_all(**answer), "");
  EXPECT_EQ(server_.requests().at(0).method, "DELETE");
  EXPECT_EQ(server_.requests().at(0).header("Content-Length"), "");
}

TEST_F(HttpTransportTest, SendsALargeBodyAtOnce) {
  const auto body = std::make_shared<const std::string>(std::size_t{20} << 20, 'x');
  for (int i = 0; i < 2; ++i) {
    const auto put = send({.method = "PUT",
                           .url = server_.url() + "/t",
                           .shared_body = body,
                           .timeouts = {.first_byte = 20s}});
    ASSERT_TRUE(put) << put.error().context;
    EXPECT_TRUE(server_.requests().back().body == *body);
    // Who asks for it must be waited for: a second, where the server does not know of it.
    EXPECT_EQ(server_.requests().back().header("Expect"), "");
  }
  EXPECT_EQ(body.use_count(), 1);
}

// Takes requests in slowly: a portion every 20 ms, `portions` of them; then answers, or stops.
class SlowReader {
 public:
  SlowReader(boost::asio::io_context& context, int portions, bool answers) : acceptor_(context) {
    using boost::asio::ip::tcp;
    const tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
    acceptor_.open(any.protocol());
    acceptor_.set_option(boost::asio::socket_base::receive_buffer_size(32 * 1024));
    acceptor_.bind(any);
    acceptor_.listen();
    boost::asio::co_spawn(context.get_executor(), serve(*this, portions, answers),
                          boost::asio::detached);
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/";
  }

 private:
  static async::Task<> serve(SlowReader& self, int portions, bool answers) {
    const auto [ec] = co_await self.acceptor_.async_accept(self.socket_, async::kAsTuple);
    std::string portion(64 * 1024, '\0');
    for (int i = 0; !ec && i < portions; ++i) {
      co_await async::sleep_for(20ms);
      const auto [read_ec, count] =
          co_await self.socket_.async_read_some(boost::asio::buffer(portion), async::kAsTuple);
      if (read_ec) co_return;
    }
    if (!answers) co_return;
    constexpr std::string_view kAnswer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    co_await boost::asio::async_write(self.socket_, boost::asio::buffer(kAnswer), async::kAsTuple);
  }

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::socket socket_{acceptor_.get_executor()};
};

TEST_F(HttpTransportTest, ABodyThatGoesOutSlowlyIsNotLate) {
  SlowReader reader(context_, 30, true);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = send({.method = "PUT",
                            .url = reader.url(),
                            .body = std::string(std::size_t{16} << 20, 'x'),
                            .timeouts = {.connect = 10ms, .first_byte = 50ms, .stall = 10s}});
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ((*answer)->status(), 403);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 500ms);
}

TEST_F(HttpTransportTest, ABodyThatStopsGoingOutIsLate) {
  SlowReader reader(context_, 3, false);
  const auto answer = send({.method = "PUT",
                            .url = reader.url(),
                            .body = std::string(std::size_t{16} << 20, 'x'),
                            .timeouts = {.connect = 1s, .first_byte = 60s, .stall = 300ms}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Timeout);
}

TEST_F(HttpTransportTest, AnAnswerToABodyIsWaitedForAsAnyOther) {
  reply_ = {.holds_head = true};
  const auto answer = send({.method = "PUT",
                            .url = server_.url() + "/",
                            .body = std::string(1000, 'x'),
                            .timeouts = {.connect = 20ms, .first_byte = 80ms, .stall = 60s}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Timeout);
}

TEST_F(HttpTransportTest, ADirectRequestUsesNoProxy) {
  for (const bool is_direct : {false, true}) {
    HttpRequest request{.url = "http://127.0.0.1:1/"};
    request.proxy = server_.url();
    request.is_direct = is_direct;
    EXPECT_EQ(send(request).has_value(), !is_direct);
  }
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(HttpTransportTest, ReusesAConnection) {
  reply_ = {.body = "x"};
  for (int i = 0; i < 5; ++i) {
    const auto response = get("/");
    ASSERT_TRUE(response);
    EXPECT_EQ(read_all(**response), "x");
  }
  EXPECT_EQ(server_.connections(), 1u);
}

TEST_F(HttpTransportTest, DeliversLargeBodiesUnchanged) {
  std::string pattern;
  for (int i = 0; i < 40'007; ++i) pattern += static_cast<char>(i * 31 + i / 251);
  for (const bool is_chunked : {false, true}) {
    reply_ = {.body = pattern, .repeat = 150, .is_chunked = is_chunked};
    const auto response = get("/", true);
    ASSERT_TRUE(response);
    const auto whole = read_all(**response);
    ASSERT_TRUE(whole) << whole.error().context;
    std::string expected;
    for (int i = 0; i < 150; ++i) expected += pattern;
    EXPECT_TRUE(*whole == expected) << whole->size();
  }
}

TEST_F(HttpTransportTest, HandsOverWhatHasComeWithoutWaitingForMore) {
  reply_ = {.body = "first second", .hold_after = 6};
  const auto response = get("/", true);
  ASSERT_TRUE(response);
  EXPECT_EQ(read(**response), "first ");
  server_.release();
  EXPECT_EQ(read(**response), "second");
  EXPECT_EQ(read(**response), "");
}

TEST_F(HttpTransportTest, ASlowReaderStopsTheSender) {
  constexpr std::size_t kMiB = 1 << 20;
  for (const bool is_bulk : {false, true}) {
    const auto sent_before = server_.bytes_sent();
    reply_ = {.body = std::string(kMiB, 'x'), .repeat = 64};
    const auto response = get("/", is_bulk);
    ASSERT_TRUE(response);
    EXPECT_FALSE(read(**response)->empty());
    run_for(200ms);
    // What the kernel's socket buffers hold at most, and little of ours.
    EXPECT_LT(server_.bytes_sent() - sent_before, 24 * kMiB);
    std::size_t size = 0;
    for (;;) {
      const auto piece = run((*response)->read());
      ASSERT_TRUE(piece);
      if (piece->empty()) break;
      EXPECT_LE(piece->size(), 256u * 1024);
      size += piece->size();
    }
    EXPECT_GE(size, 63 * kMiB);
  }
}

TEST_F(HttpTransportTest, ACutConnectionIsAnErrorAfterWhatHasCome) {
  reply_ = {.body = "0123456789", .cut_after = 4};
  const auto response = get("/");
  ASSERT_TRUE(response);
  EXPECT_EQ(read(**response), "0123");
  const auto end = read(**response);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::Unavailable);
  EXPECT_EQ(end.error().origin, Origin::Upstream);
  EXPECT_EQ(end.error().retry, Retry::Yes);
  EXPECT_FALSE(read(**response)) << "an error is final";
}

TEST_F(HttpTransportTest, ALengthThatIsNotKeptIsAnError) {
  reply_ = {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"};
  const auto response = get("/");
  ASSERT_TRUE(response);
  EXPECT_EQ(read_all(**response).error().code, Code::Unavailable);
}

TEST_F(HttpTransportTest, WhatIsNotHttpIsCorrupt) {
  for (const std::string raw : {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc\r\n\r\n"}) {
    reply_ = {.raw = raw};
    const auto response = get("/");
    ASSERT_FALSE(response) << raw;
    EXPECT_EQ(response.error().code, Code::Corrupt) << response.error().context;
  }
}

TEST_F(HttpTransportTest, TheHeadIsBounded) {
  reply_ = {.headers = {{"X", std::string(40'000, 'x')}, {"Y", std::string(40'000, 'y')}}};
  const auto response = get("/");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::Corrupt);
}

TEST_F(HttpTransportTest, SkipsInterimAnswers) {
  reply_ = {.raw =
                "HTTP/1.1 103 Early Hints\r\nX: early\r\n\r\nHTTP/1.1 200 OK\r\nX: late\r\n"
                "Content-Length: 2\r\n\r\nok"};
  const auto response = get("/");
  ASSERT_TRUE(response);
  EXPECT_EQ((*response)->status(), 200);
  EXPECT_EQ((*response)->headers().find("X"), "late");
}

TEST_F(HttpTransportTest, WaitsNoLongerThanItsTimeouts) {
  reply_ = {.body = "x", .holds_head = true};
  const auto head = send({.url = server_.url() + "/",
                          .timeouts = {.connect = 20ms, .first_byte = 50ms, .stall = 30s}});
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Timeout);
  EXPECT_EQ(head.error().retry, Retry::Yes);

  reply_ = {.body = "0123456789", .hold_after = 5};
  const auto body = send({.url = server_.url() + "/", .timeouts = {.stall = 50ms}});
  ASSERT_TRUE(body);
  EXPECT_EQ(read(**body), "01234");
  EXPECT_EQ(read(**body).error().code, Code::Timeout);
  EXPECT_EQ(read(**body).error().code, Code::Timeout);
}

TEST_F(HttpTransportTest, NoServerIsUnavailable) {
  const std::string url = server_.url();
  server_.close();
  const auto response = send({.url = url});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::Unavailable);
  EXPECT_EQ(response.error().retry, Retry::Yes);
}

TEST_F(HttpTransportTest, RefusesWhatItMustNotSend) {
  for (const std::string url : {"file:///etc/passwd", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/",
                                "http://127.0.0.1/\r\nX: y", ""}) {
    const auto response = send({.url = url});
    ASSERT_FALSE(response) << url;
    EXPECT_EQ(response.error().code, Code::InvalidArgument);
  }
  const auto response = send({.url = server_.url(), .headers = {{"Accept", "x\r\nEvil: y"}}});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::InvalidArgument);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(HttpTransportTest, DoesNotFollowRedirects) {
  reply_ = {.status = 307, .headers = {{"Location", "/elsewhere"}}};
  const auto response = get("/");
  ASSERT_TRUE(response);
  EXPECT_EQ((*response)->status(), 307);
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(HttpTransportTest, DroppingAResponseFreesTheServer) {
  reply_ = {.body = std::string(1 << 20, 'x'), .repeat = 64};
  {
    const auto response = get("/", true);
    ASSERT_TRUE(response);
    EXPECT_FALSE(read(**response)->empty());
  }
  run_for(100ms);
  const auto sent = server_.bytes_sent();
  EXPECT_LT(sent, 24u << 20);
  reply_ = {.body = "next"};
  const auto next = get("/");
  ASSERT_TRUE(next);
  EXPECT_EQ(read_all(**next), "next");
}

TEST_F(HttpTransportTest, CloseCancelsWaitersAndNewcomers) {
  reply_ = {.body = "x", .holds_head = true};
  std::optional<Result<Response>> waiting;
  begin(transport_.send({.url = server_.url()}), waiting);
  run_until([&] { return server_.requests().size() == 1; });
  transport_.close();
  run_until([&] { return waiting.has_value(); });
  ASSERT_FALSE(*waiting);
  EXPECT_EQ(waiting->error().code, Code::Cancelled);
  EXPECT_EQ(get("/").error().code, Code::Cancelled);
}

TEST_F(HttpTransportTest, AResponseMayOutliveItsTransport) {
  reply_ = {.body = "0123456789", .hold_after = 5};
  auto transport = std::make_unique<HttpTransport>(context_.get_executor());
  const auto response = run(transport->send({.url = server_.url()}));
  ASSERT_TRUE(response);
  transport.reset();
  EXPECT_EQ(read(**response), "01234");
  EXPECT_EQ(read(**response).error().code, Code::Cancelled);
}

TEST_F(HttpTransportTest, ManyTransfersAtOnce) {
  reply_ = {.body = std::string(10'000, 'x')};
  std::vector<std::optional<Result<Response>>> responses(50);
  for (auto& response : responses) begin(transport_.send({.url = server_.url()}), response);
  for (auto& response : responses) {
    run_until([&] { return response.has_value(); });
    ASSERT_TRUE(*response);
    EXPECT_EQ(read_all(***response)->size(), 10'000u);
  }
}

}  // namespace
}  // namespace fairlead::upstream
