// SPDX-License-Identifier: Apache-2.0
// What tests of requests with streamed bodies share.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "async/timer.h"
#include "testing/coroutine_test.h"
#include "testing/scripted_http_server.h"
#include "upstream/http_transport.h"

namespace fairlead::upstream {

using namespace std::chrono_literals;
using fairlead::testing::ReceivedRequest;
using fairlead::testing::ScriptedHttpServer;
using fairlead::testing::ScriptedReception;
using fairlead::testing::ScriptedReply;

// A client that sends something: what it has, and then waits, ends, or breaks off.
class Producer final : public Body {
 public:
  explicit Producer(boost::asio::io_context& context) : more_(context) {
    more_.expires_at(async::Timer::time_point::max());
  }

  void give(std::string piece) {
    pieces_.push_back(std::move(piece));
    more_.cancel();
  }
  void end() {
    has_ended_ = true;
    more_.cancel();
  }
  void fail(Error error) {
    error_ = std::move(error);
    more_.cancel();
  }

  async::Task<Result<ByteView>> read() override {
    ++reads_;
    while (pieces_.empty() && !has_ended_ && !error_) {
      co_await more_.async_wait(async::kAsTuple);
    }
    if (pieces_.empty() && error_) co_return std::unexpected(*error_);
    lent_.clear();
    if (!pieces_.empty()) {
      lent_ = std::move(pieces_.front());
      pieces_.pop_front();
    }
    given_ += lent_.size();
    co_return as_byte_view(lent_);
  }

  [[nodiscard]] int reads() const { return reads_; }
  [[nodiscard]] std::size_t given() const { return given_; }

 private:
  async::Timer more_;
  std::deque<std::string> pieces_;
  std::string lent_;
  bool has_ended_ = false;
  std::optional<Error> error_;
  int reads_ = 0;
  std::size_t given_ = 0;
};

inline std::string numbers(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

class StreamedRequestTest : public fairlead::testing::CoroutineTest {
 protected:
  using Response = std::unique_ptr<HttpResponse>;

  HttpRequest request(std::optional<std::uint64_t> length, std::string method = "PATCH") {
    return {.method = std::move(method),
            .url = server_.url() + "/u",
            .stream = producer_,
            .stream_length = length,
            .timeouts = {.first_byte = 5s, .stall = 5s}};
  }
  void give(std::string_view text) {
    constexpr std::size_t kPiece = std::size_t{256} << 10;
    for (std::size_t at = 0; at < text.size(); at += kPiece) {
      producer_->give(std::string(text.substr(at, kPiece)));
    }
  }
  Result<Response> send(HttpRequest request) { return run(transport_.send(std::move(request))); }
  void begin_sending(HttpRequest request) { begin(transport_.send(std::move(request)), response_); }
  Result<Response> response() {
    run_until([&] { return response_.has_value(); });
    return *std::exchange(response_, std::nullopt);
  }
  Result<std::string> read_all(HttpResponse& response) {
    std::string whole;
    for (;;) {
      const auto piece = run(response.read());
      if (!piece) return std::unexpected(piece.error());
      if (piece->empty()) return whole;
      whole += as_text(*piece);
    }
  }
  void receive(ScriptedReception how) {
    server_.receive_with([how](const ReceivedRequest&) { return how; });
  }

  ScriptedReply reply_{.status = 202};
  ScriptedHttpServer server_{context_, [this](const ReceivedRequest&) { return reply_; }};
  HttpTransport transport_{context_.get_executor()};
  std::shared_ptr<Producer> producer_ = std::make_shared<Producer>(context_);
  std::optional<Result<Response>> response_;
};

}  // namespace fairlead::upstream
