// SPDX-License-Identifier: Apache-2.0
// A server on two workers whose handler answers by path; see answer().
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "async/workers.h"
#include "http/server.h"
#include "testing/raw_http_client.h"
#include "testing/temporary_directory.h"

namespace fairlead::http {

class ServerFixture : public ::testing::Test {
 protected:
  using Client = fairlead::testing::RawHttpClient;

  static constexpr std::size_t kFileSize = 8'000'000;

  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // as the program does
    workers_.start();
  }
  void TearDown() override {
    release();
    stop();
    workers_.stop();
    server_.reset();  // its timers belong to the workers
  }

  // Set up options_ before.
  std::string start() {
    auto started = try_start();
    EXPECT_TRUE(started) << started.error().context;
    return server_->addresses().at(0);
  }
  Result<void> try_start() {
    const Handler handler = [this](const Request& request, Responder& responder) {
      return answer(*this, request, responder);
    };
    server_ = std::make_unique<Server>(options_, workers_,
                                       std::vector<Handler>(workers_.size(), handler), log_);
    auto started = server_->start();
    is_started_ = started.has_value();
    return started;
  }
  std::future<void> begin_stop() {
    is_started_ = false;
    return boost::asio::co_spawn(workers_.executor(0), end(*server_), boost::asio::use_future);
  }
  static async::Task<> end(Server& server) {
    co_await server.drain();
    co_await server.stop();
  }
  void stop() {
    if (is_started_) begin_stop().get();
  }
  // Every request for /hold goes on.
  void release() {
    is_released_ = true;
    released_.notify_all();
  }

  const std::string& file_bytes_ = make_file_bytes();
  const int file_ = file_of(file_bytes_);
  ServerOptions options_{.listen = {"127.0.0.1:0"}};
  std::promise<void> held_;  // a request for /hold has arrived; once a test
  fairlead::testing::TemporaryDirectory directory_;
  std::unique_ptr<Server> server_;

 private:
  static const std::string& make_file_bytes() {
    static const std::string made = [] {
      std::string bytes(kFileSize, '\0');
      std::uint32_t state = 7;
      for (char& c : bytes) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
      return bytes;
    }();
    return made;
  }

  static int file_of(const std::string& bytes) {
    static const UniqueFd made = [&bytes] {
      UniqueFd file(::memfd_create("content", MFD_CLOEXEC));
      const ssize_t n = ::pwrite(file.get(), bytes.data(), bytes.size(), 0);
      EXPECT_EQ(n, static_cast<ssize_t>(bytes.size()));
      return file;
    }();
    return made.get();
  }

  static async::Task<> answer(ServerFixture& test, const Request& request, Responder& responder) {
    const std::string_view path = request.path();
    if (path == "/file") {
      responder.begin(ResponseHead(200).set_content_length(kFileSize));
      if (!co_await responder.send_file(test.file_, 0, kFileSize)) co_return;
      co_await responder.end();
    } else if (path == "/pieces") {
      responder.begin(ResponseHead(200));
      if (!co_await responder.write(as_byte_view("one "))) co_return;
      if (!co_await responder.send_file(test.file_, 0, 100'000)) co_return;
      if (!co_await responder.write(as_byte_view(" two"))) co_return;
      co_await responder.end();
    } else if (path == "/short") {
      responder.begin(ResponseHead(200).set_content_length(100));
      co_await responder.write(as_byte_view("0123456789"));
      if (request.target.ends_with("end")) co_await responder.end();
    } else if (path == "/short-pieces") {
      responder.begin(ResponseHead(200));
      co_await responder.write(as_byte_view("0123456789"));
    } else if (path == "/echo") {
      co_await echo(responder);
    } else if (path == "/form") {
      const auto second = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      co_await echo(responder, second);
    } else if (path == "/hold") {
      test.held_.set_value();
      co_await hold(test);
      co_await responder.send(ResponseHead(200), "held");
    } else if (path == "/who") {
      co_await responder.send(ResponseHead(200), std::string(request.peer) +
                                                     (request.is_secure ? " secure" : " plain"));
    } else {
      const std::string body = std::string(request.method) + " " + std::string(request.target);
      co_await responder.send(ResponseHead(200), body);
    }
  }
  static async::Task<> echo(Responder& responder,
                            std::chrono::steady_clock::time_point deadline =
                                std::chrono::steady_clock::time_point::max()) {
    std::string body;
    std::vector<std::byte> piece(1000);
    for (;;) {
      const auto read = co_await responder.read_body(piece, deadline);
      if (!read) {
        co_await responder.send(ResponseHead(400), read.error().context);
        co_return;
      }
      if (*read == 0) break;
      body += as_text(ByteView(piece).first(*read));
    }
    co_await responder.send(ResponseHead(200), body);
  }
  static async::Task<> hold(ServerFixture& test) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
      const auto seen = test.released_.version();
      if (test.is_released_ || !co_await test.released_.wait(seen, deadline)) co_return;
    }
  }

  std::atomic<bool> is_released_{false};
  async::Broadcast released_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  async::Workers workers_{2};
  bool is_started_ = false;
};

}  // namespace fairlead::http
