// SPDX-License-Identifier: Apache-2.0
// Connections come and go: limits, deadlines, listening, the orderly end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "http/listen.h"
#include "http/server_fixture.h"

namespace fairlead::http {
namespace {

using ::testing::HasSubstr;
using ServerLifeTest = ServerFixture;

constexpr const char* kHold = "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n";

TEST_F(ServerLifeTest, AnswersInFlightAreFinishedAndIdleConnectionsClosed) {
  const std::string address = start();
  Client idle(address);
  ASSERT_EQ(idle.get("/a").status, 200);
  Client fresh(address);
  auto busy = std::make_unique<Client>(address);
  ASSERT_TRUE(busy->send(kHold));
  held_.get_future().wait();

  auto stopped = begin_stop();
  EXPECT_TRUE(idle.is_closed_by_server());
  EXPECT_TRUE(fresh.is_closed_by_server());
  release();
  const auto response = busy->response();
  EXPECT_EQ(response.body, "held");
  EXPECT_TRUE(response.has("\r\nConnection: close\r\n"));
  EXPECT_TRUE(busy->is_closed_by_server());
  busy.reset();
  stopped.get();
  EXPECT_FALSE(Client(address).is_connected());
}

TEST_F(ServerLifeTest, WhatDoesNotFinishInTimeIsCut) {
  options_.limits.drain = std::chrono::milliseconds(10);
  Client busy(start());
  ASSERT_TRUE(busy.send(kHold));
  held_.get_future().wait();
  auto stopped = begin_stop();
  EXPECT_TRUE(busy.is_closed_by_server());
  release();
  stopped.get();
}

// A client that keeps its side open after the last answer is no reason to wait for the drain.
TEST_F(ServerLifeTest, AClientThatDoesNotCloseDoesNotHoldUpTheEnd) {
  options_.limits.drain = std::chrono::minutes(10);
  Client busy(start());
  ASSERT_TRUE(busy.send(kHold));
  held_.get_future().wait();
  auto stopped = begin_stop();
  release();
  EXPECT_EQ(busy.response().body, "held");
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  busy = Client("127.0.0.1:1");  // closes it
  stopped.get();
}

TEST_F(ServerLifeTest, AConnectionTooManyIsToldSo) {
  options_.limits.connections = 1;
  const std::string address = start();
  {
    Client first(address);
    ASSERT_EQ(first.get("/a").status, 200);
    Client second(address);
    const auto refused = second.response();
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.has("\r\nRetry-After: "));
    EXPECT_TRUE(second.is_closed_by_server());
    EXPECT_EQ(first.get("/b").status, 200);
  }
  // The first has left: soon there is room again.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int status = 0;
  while (status != 200 && std::chrono::steady_clock::now() < deadline) {
    status = Client(address).get("/c").status;
  }
  EXPECT_EQ(status, 200);
}

TEST_F(ServerLifeTest, AClientWithTooManyConnectionsIsToldSo) {
  options_.limits.connections_per_client = 2;
  const std::string address = start();
  Client first(address);
  ASSERT_EQ(first.get("/a").status, 200);
  {
    Client second(address);
    ASSERT_EQ(second.get("/a").status, 200);
    Client third(address);
    const auto refused = third.response();
    EXPECT_EQ(refused.status, 429);
    EXPECT_TRUE(refused.has("\r\nRetry-After: 1\r\n"));
    EXPECT_TRUE(third.is_closed_by_server());
    EXPECT_EQ(first.get("/b").status, 200);
  }
  // The second has left: soon there is room again.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int status = 0;
  while (status != 200 && std::chrono::steady_clock::now() < deadline) {
    status = Client(address).get("/c").status;
  }
  EXPECT_EQ(status, 200);
}

TEST_F(ServerLifeTest, ProxiesAndUnixPeersMayHaveManyConnections) {
  options_.limits.connections_per_client = 1;
  options_.listen = {"127.0.0.1:0", "unix:" + (directory_ / "s")};
  ASSERT_TRUE(options_.trusted_proxies.add("127.0.0.0/8"));
  const std::string address = start();
  for (const std::string& to : {address, server_->addresses().at(1)}) {
    Client first(to);
    Client second(to);
    EXPECT_EQ(first.get("/a").status, 200);
    EXPECT_EQ(second.get("/a").status, 200);
  }
}

TEST_F(ServerLifeTest, AHeadThatDoesNotCompleteInTimeIsCut) {
  options_.limits.header_time = std::chrono::seconds(1);
  const std::string address = start();
  Client half(address);
  ASSERT_TRUE(half.send("GET / HTTP/1.1\r\nHost:"));
  Client held(address);
  ASSERT_TRUE(held.send(kHold));
  EXPECT_TRUE(half.is_closed_by_server());
  release();
  EXPECT_EQ(held.response().body, "held") << "the time for the head is not that for the answer";
}

TEST_F(ServerLifeTest, ABodyThatDoesNotCompleteInTimeIsCut) {
  Client half(start());
  ASSERT_TRUE(half.send("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"));
  EXPECT_TRUE(half.is_closed_by_server());
}

TEST_F(ServerLifeTest, ServesAUnixSocketAndRemovesItAtTheEnd) {
  const std::string path = directory_ / "s.sock";
  options_.listen = {"unix:" + path};
  const std::string address = start();
  EXPECT_EQ(address, "unix:" + path);
  EXPECT_EQ(Client(address).get("/who").body, "unix plain");
  stop();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ServerLifeTest, ASocketFileLeftByACrashIsReplaced) {
  const std::string path = directory_ / "s.sock";
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, path.size());
  {
    const UniqueFd crashed(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(crashed.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  }
  options_.listen = {"unix:" + path};
  EXPECT_EQ(Client(start()).get("/a").status, 200);
}

TEST_F(ServerLifeTest, AUnixSocketInUseAndAFileOfAnotherKindAreLeftAlone) {
  const std::string path = directory_ / "s.sock";
  options_.listen = {"unix:" + path};
  const std::string address = start();
  const auto second = listen_on(address, 1);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().context, HasSubstr(address));
  EXPECT_EQ(Client(address).get("/a").status, 200);

  const std::string file = directory_ / "precious";
  std::ofstream(file) << "content";
  EXPECT_FALSE(listen_on("unix:" + file, 1));
  EXPECT_EQ(std::filesystem::file_size(file), 7u);
}

// The attack: any user of the machine purges a cache by its control socket.
TEST_F(ServerLifeTest, AUnixSocketHasTheRightsThatWereAskedForWhateverTheUmask) {
  const std::string path = directory_ / "s.sock";
  const mode_t before = ::umask(0);
  const auto listening = listen_on("unix:" + path, 1, 0600);
  ::umask(before);
  ASSERT_TRUE(listening);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(ServerLifeTest, AnAddressInUseIsRefusedByName) {
  const std::string address = start();
  const auto second = listen_on(address, 2);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().context, HasSubstr("cannot listen on " + address));
}

TEST_F(ServerLifeTest, NothingStaysOpenWhenOneAddressFails) {
  const std::string path = directory_ / "s.sock";
  options_.listen = {"127.0.0.1:0", "unix:" + path, "127.0.0.1:no-port"};
  EXPECT_FALSE(try_start());
  EXPECT_FALSE(std::filesystem::exists(path)) << "a socket nobody listens on is left";
}

TEST_F(ServerLifeTest, ServesSeveralAddresses) {
  options_.listen = {"127.0.0.1:0", "127.0.0.1:0", "unix:" + (directory_ / "s.sock")};
  start();
  ASSERT_EQ(server_->addresses().size(), 3u);
  for (const auto& address : server_->addresses()) {
    EXPECT_EQ(Client(address).get("/a").status, 200);
  }
}

}  // namespace
}  // namespace fairlead::http
