// SPDX-License-Identifier: Apache-2.0
#include "http/transport.h"

#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fairlead::http {

using Descriptor = boost::asio::posix::basic_stream_descriptor<async::Executor>;

Transport::Transport(const async::Executor& executor, UniqueFd socket)
    : descriptor_(executor, socket.release()) {
  descriptor_.non_blocking(true);
}

async::Task<bool> Transport::wait(Want want) {
  if (is_closed_) co_return false;
  const auto direction = want == Want::Read ? Descriptor::wait_read : Descriptor::wait_write;
  const auto [ec] = co_await descriptor_.async_wait(direction, async::kAsTuple);
  co_return !ec && !is_closed_;
}

void Transport::close() {
  if (std::exchange(is_closed_, true)) return;
  // The descriptor stays open until the destructor: its number must not come to mean another
  // connection while this one's coroutine is still on its way out.
  ::shutdown(fd(), SHUT_RDWR);
  boost::system::error_code ignored;
  descriptor_.cancel(ignored);
}

namespace {

Io moved(ssize_t n, Want when_blocked) {
  if (n > 0) return {static_cast<std::size_t>(n), Want::Nothing};
  const bool is_blocked = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return {0, is_blocked ? when_blocked : Want::Closed};
}

class PlainTransport final : public Transport {
 public:
  PlainTransport(const async::Executor& executor, UniqueFd socket)
      : Transport(executor, std::move(socket)) {}

  Io handshake() override { return {}; }

  Io read(MutableByteView into) override {
    return moved(::recv(fd(), into.data(), into.size(), 0), Want::Read);
  }

  Io write(ByteView first, ByteView second) override {
    std::array<iovec, 2> pieces{iovec{const_cast<std::byte*>(first.data()), first.size()},
                                iovec{const_cast<std::byte*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    return moved(::sendmsg(fd(), &message, MSG_NOSIGNAL), Want::Write);
  }

  Io send_file(int file, std::uint64_t offset, std::size_t length) override {
    auto position = static_cast<off_t>(offset);
    return moved(::sendfile(fd(), file, &position, length), Want::Write);
  }

  void finish_sending() override { ::shutdown(fd(), SHUT_WR); }
};

// The kernel here has no TLS: bodies are read and encrypted in user space, a record's worth or
// several at a time.
class TlsTransport final : public Transport {
 public:
  TlsTransport(const async::Executor& executor, UniqueFd socket, SSL_CTX& context)
      : Transport(executor, std::move(socket)), ssl_(SSL_new(&context)) {
    SSL_set_fd(ssl_.get(), fd());
    SSL_set_accept_state(ssl_.get());
    // A write that was blocked is repeated with the same bytes at another address.
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
  }

  Io handshake() override {
    ERR_clear_error();
    const int n = SSL_do_handshake(ssl_.get());
    return n == 1 ? Io{} : blocked(n);
  }

  Io read(MutableByteView into) override {
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), into.data(), to_int(into.size()));
    return n > 0 ? Io{static_cast<std::size_t>(n), Want::Nothing} : blocked(n);
  }

  Io write(ByteView first, ByteView second) override {
    if (first.empty()) return encrypt(second);
    if (second.empty() || first.size() >= kRecord) return encrypt(first);
    // Head and body in one record.
    std::array<std::byte, kRecord> joined;  // NOLINT: filled below
    const std::size_t rest = std::min(second.size(), kRecord - first.size());
    std::memcpy(joined.data(), first.data(), first.size());
    std::memcpy(joined.data() + first.size(), second.data(), rest);
    return encrypt(ByteView(joined).first(first.size() + rest));
  }

  Io send_file(int file, std::uint64_t offset, std::size_t length) override {
    std::array<std::byte, 4 * kRecord> piece;  // NOLINT: filled below
    const ssize_t n =
        ::pread(file, piece.data(), std::min(length, piece.size()), static_cast<off_t>(offset));
    if (n <= 0) return {0, Want::Closed};
    return encrypt(ByteView(piece).first(static_cast<std::size_t>(n)));
  }

  void finish_sending() override {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ::shutdown(fd(), SHUT_WR);
  }

 private:
  static constexpr std::size_t kRecord = 16 * 1024;  // TLS's largest

  static int to_int(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, 1 << 30));
  }

  Io encrypt(ByteView bytes) {
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), bytes.data(), to_int(bytes.size()));
    return n > 0 ? Io{static_cast<std::size_t>(n), Want::Nothing} : blocked(n);
  }

  Io blocked(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {0, Want::Read};
      case SSL_ERROR_WANT_WRITE:
        return {0, Want::Write};
      default:
        return {0, Want::Closed};
    }
  }

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(const async::Executor& executor, UniqueFd socket) {
  return std::make_unique<PlainTransport>(executor, std::move(socket));
}

std::unique_ptr<Transport> make_tls_transport(const async::Executor& executor, UniqueFd socket,
                                              SSL_CTX& context) {
  return std::make_unique<TlsTransport>(executor, std::move(socket), context);
}

}  // namespace fairlead::http
