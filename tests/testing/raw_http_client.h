// SPDX-License-Identifier: Apache-2.0
// RawHttpClient: a client that sends the bytes a test gives it and reads what comes back, over
// TCP, a unix socket or TLS. It blocks, 20 s at most; use it on a thread that no worker needs.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace fairlead::testing {

struct RawResponse {
  int status = 0;
  std::string head;          // with its final empty line
  std::string body;          // without its chunked framing
  bool is_complete = false;  // as its framing tells
  [[nodiscard]] bool has(std::string_view text) const {
    return head.find(text) != std::string::npos;
  }
};

class RawHttpClient {
 public:
  // `address` as http::Server gives it: "127.0.0.1:5000" or "unix:/path".
  explicit RawHttpClient(const std::string& address, int receive_buffer = 0) {
    const bool is_unix = address.starts_with("unix:");
    socket_.reset(::socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const timeval patience{20, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    is_connected_ = is_unix ? connect_unix(address.substr(5)) : connect_tcp(address);
  }

  [[nodiscard]] bool is_connected() const { return is_connected_; }

  // False when the handshake fails.
  bool start_tls(SSL_CTX& context) {
    ssl_.reset(SSL_new(&context));
    SSL_set_fd(ssl_.get(), socket_.get());
    return SSL_connect(ssl_.get()) == 1;
  }
  [[nodiscard]] SSL* ssl() { return ssl_.get(); }

  // False when the server no longer takes it.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto n = ssl_ ? SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()))
                          : ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }

  // Up to `size` bytes; empty at the end. A reset is an end too.
  std::string receive(std::size_t size = 64 * 1024) {
    if (buffered_.empty()) fill(size);
    std::string bytes = buffered_.substr(0, size);
    buffered_.erase(0, bytes.size());
    return bytes;
  }
  [[nodiscard]] bool is_closed_by_server() { return receive().empty() && !timed_out_; }

  // The next response. To a HEAD there is no body.
  RawResponse response(bool to_head = false) {
    RawResponse response;
    response.head = until("\r\n\r\n");
    if (!response.head.starts_with("HTTP/1.1 ")) return response;
    response.status = std::stoi(response.head.substr(9));
    if (to_head || response.status == 304 || response.status < 200) {
      response.is_complete = true;
    } else if (const auto length = content_length(response.head)) {
      response.body = exactly(*length);
      response.is_complete = response.body.size() == *length;
    } else if (response.has("\r\nTransfer-Encoding: chunked\r\n")) {
      read_chunks(response);
    } else {
      for (std::string piece = receive(); !piece.empty(); piece = receive()) response.body += piece;
      response.is_complete = !timed_out_;
    }
    return response;
  }
  RawResponse get(const std::string& target, const std::string& fields = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n");
    return response();
  }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  bool connect_tcp(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    return ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  bool connect_unix(const std::string& path) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.data(), path.size());
    return ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }

  bool fill(std::size_t size) {
    std::string piece(size, '\0');
    const auto n = ssl_ ? SSL_read(ssl_.get(), piece.data(), static_cast<int>(size))
                        : ::recv(socket_.get(), piece.data(), size, 0);
    timed_out_ = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (n <= 0) return false;
    buffered_.append(piece, 0, static_cast<std::size_t>(n));
    return true;
  }
  std::string until(std::string_view mark) {
    std::size_t at;
    while ((at = buffered_.find(mark)) == std::string::npos) {
      if (!fill(64 * 1024)) return std::exchange(buffered_, {});
    }
    std::string text = buffered_.substr(0, at + mark.size());
    buffered_.erase(0, text.size());
    return text;
  }
  std::string exactly(std::size_t size) {
    while (buffered_.size() < size && fill(64 * 1024)) {
    }
    std::string bytes = buffered_.substr(0, size);
    buffered_.erase(0, bytes.size());
    return bytes;
  }
  void read_chunks(RawResponse& response) {
    for (;;) {
      const std::string line = until("\r\n");
      if (line.empty()) return;
      const std::size_t size = std::stoul(line, nullptr, 16);
      response.body += exactly(size);
      if (exactly(2) != "\r\n") return;
      if (size == 0) {
        response.is_complete = true;
        return;
      }
    }
  }
  static std::optional<std::size_t> content_length(const std::string& head) {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const std::size_t at = head.find(kName);
    if (at == std::string::npos) return std::nullopt;
    return std::stoul(head.substr(at + kName.size()));
  }

  UniqueFd socket_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string buffered_;
  bool is_connected_ = false;
  bool timed_out_ = false;
};

}  // namespace fairlead::testing
