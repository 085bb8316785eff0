// SPDX-License-Identifier: Apache-2.0
#include "control/local_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "testing/temporary_directory.h"

namespace fairlead::control {
namespace {

using namespace std::chrono_literals;

class LocalClientTest : public ::testing::Test {
 protected:
  // Connections are taken by the kernel; nobody answers them.
  void listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    ASSERT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd_.get(), 8), 0);
  }

  fairlead::testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "s.sock";
  const UniqueFd fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(LocalClientTest, GivesTheAnswer) {
  listen();
  std::thread server([&] {
    const UniqueFd peer(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string head(4096, '\0');
    std::size_t size = 0;
    while (!std::string_view(head).substr(0, size).ends_with("\r\n\r\n")) {
      const ssize_t n = ::read(peer.get(), head.data() + size, head.size() - size);
      ASSERT_GT(n, 0);
      size += static_cast<std::size_t>(n);
    }
    EXPECT_TRUE(head.starts_with("POST /cache/purge?pattern=a HTTP/1.1\r\n"));
    constexpr std::string_view kAnswer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
    EXPECT_EQ(::write(peer.get(), kAnswer.data(), kAnswer.size()),
              static_cast<ssize_t>(kAnswer.size()));
  });
  const auto answer = post_local(path_, "/cache/purge?pattern=a");
  server.join();
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "{}");
}

TEST_F(LocalClientTest, AStuckProcessIsNotWaitedForWithoutEnd) {
  listen();
  const auto answer = post_local(path_, "/cache/purge", 100ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Timeout);
  EXPECT_NE(answer.error().context.find(path_), std::string::npos);
}

TEST_F(LocalClientTest, NobodyThereIsToldAtOnce) {
  const auto answer = post_local(path_, "/cache/purge");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unavailable);
}

}  // namespace
}  // namespace fairlead::control
