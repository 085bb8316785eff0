// SPDX-License-Identifier: Apache-2.0
#include "http/connection.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <cstring>
#include <utility>

namespace fairlead::http {
namespace {

// Sent without a pause for others on the same worker.
constexpr std::uint64_t kFairShare = 4u << 20;

// What is read and thrown away of a request's body that nobody wanted, to keep the connection.
constexpr std::size_t kMaxDiscard = 64 * 1024;

constexpr std::chrono::seconds kLingerTime{2};

std::unexpected<Error> client_gone() {
  return client_error(Code::Cancelled, "the client closed the connection");
}

std::unexpected<Error> beyond_length() {
  return internal_error(Code::Internal, "more body than its Content-Length");
}

}  // namespace

std::unique_ptr<char[]> BufferPool::take() {
  if (free_.empty()) return std::make_unique_for_overwrite<char[]>(size_);
  auto buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void BufferPool::give_back(std::unique_ptr<char[]> buffer) {
  if (buffer && free_.size() < 64) free_.push_back(std::move(buffer));
}

Connection::Connection(std::unique_ptr<Transport> transport, const Limits& limits,
                       BufferPool& buffers, std::string peer, bool is_secure)
    : transport_(std::move(transport)),
      limits_(limits),
      buffers_(buffers),
      peer_(std::move(peer)),
      is_secure_(is_secure) {}

Connection::~Connection() { buffers_.give_back(std::move(buffer_)); }

void Connection::drain() {
  is_draining_ = true;
  if (!in_request_) abort();
}

void Connection::abort() { transport_->close(); }

void Connection::sweep(SteadyTime now) {
  if (now >= deadline_) abort();
}

async::Task<> Connection::run(const Handler& handler) {
  if (!co_await complete_handshake()) co_return;
  while (!is_draining_ && !must_close_) {
    const Received received = co_await receive_head();
    if (received == Received::Closed) co_return;
    in_request_ = true;
    if (received != Received::Head) {
      co_await refuse(received == Received::TooLarge
                          ? Refusal{431, "request head over the limit"}
                          : Refusal{400, "this is a plain HTTP/1 listener"});
      co_return;
    }
    const std::size_t length = head_length({buffer_.get() + begin_, end_ - begin_});
    const auto parsed = parser_.parse_head({buffer_.get() + begin_, length}, request_);
    if (!parsed) {
      co_await refuse(parsed.error());
      co_return;
    }
    begin_ += length;
    body_floor_ = begin_;
    request_.peer = peer_;
    request_.is_secure = is_secure_;
    must_close_ = !request_.keep_alive;
    deadline_ = kNever;  // the handler has its own

    Responder responder(*this);
    co_await handler(request_, responder);
    if (!responder.has_ended()) {
      abort();
      co_return;
    }
    if (!parser_.is_complete() && !co_await discard_body(responder)) must_close_ = true;
    in_request_ = false;
  }
  co_await linger();
}

async::Task<bool> Connection::complete_handshake() {
  deadline_ = std::chrono::steady_clock::now() + limits_.header_time;
  for (;;) {
    const Io io = transport_->handshake();
    if (io.want == Want::Nothing) co_return true;
    if (io.want == Want::Closed || !co_await transport_->wait(io.want)) co_return false;
  }
}

async::Task<Connection::Received> Connection::receive_head() {
  // Between requests nothing is held but the socket.
  if (begin_ == end_) {
    buffers_.give_back(std::move(buffer_));
    begin_ = end_ = 0;
    deadline_ = std::chrono::steady_clock::now() + limits_.idle_time;
  }
  bool has_started = begin_ != end_;
  if (has_started) deadline_ = std::chrono::steady_clock::now() + limits_.header_time;
  body_floor_ = 0;
  for (;;) {
    const std::string_view received(buffer_.get() + begin_, end_ - begin_);
    const std::size_t length = received.empty() ? 0 : head_length(received);
    // A client that begins with TLS waits for us to answer: tell it now.
    if (!received.empty() && !may_begin_request(received.front())) co_return Received::NotHttp;
    if (length > limits_.header_bytes) co_return Received::TooLarge;
    if (length > 0) co_return Received::Head;
    if (received.size() >= limits_.header_bytes) co_return Received::TooLarge;
    if (!co_await receive_more()) co_return Received::Closed;
    if (!std::exchange(has_started, true)) {
      deadline_ = std::chrono::steady_clock::now() + limits_.header_time;
    }
  }
}

// Receives at least one byte behind what is there, moving that to the front when space is short.
// Bytes below body_floor_ stay where they are: a request views into them.
async::Task<bool> Connection::receive_more() {
  if (begin_ == end_) begin_ = end_ = body_floor_;
  if (end_ == buffers_.buffer_size() && begin_ > body_floor_) {
    std::memmove(buffer_.get() + body_floor_, buffer_.get() + begin_, end_ - begin_);
    end_ = body_floor_ + (end_ - begin_);
    begin_ = body_floor_;
  }
  for (;;) {
    if (!buffer_) buffer_ = buffers_.take();
    const Io io = transport_->read(
        std::as_writable_bytes(std::span(buffer_.get() + end_, buffers_.buffer_size() - end_)));
    if (io.want == Want::Nothing) {
      end_ += io.bytes;
      co_return true;
    }
    if (io.want == Want::Closed) co_return false;
    if (begin_ == end_ && body_floor_ == 0) buffers_.give_back(std::move(buffer_));
    if (!co_await transport_->wait(io.want)) co_return false;
  }
}

async::Task<Result<void>> Connection::send_all(ByteView first, ByteView second) {
  while (!first.empty() || !second.empty()) {
    const Io io = transport_->write(first, second);
    if (io.want == Want::Closed) co_return client_gone();
    if (io.want != Want::Nothing) {
      deadline_ = std::chrono::steady_clock::now() + limits_.write_stall;
      const bool is_open = co_await transport_->wait(io.want);
      deadline_ = kNever;
      if (!is_open) co_return client_gone();
      continue;
    }
    const std::size_t from_first = std::min(io.bytes, first.size());
    first = first.subspan(from_first);
    second = second.subspan(io.bytes - from_first);
  }
  co_return Result<void>{};
}

void Connection::write_head(const ResponseHead& head, bool& is_chunked, std::string& out) const {
  const std::string_view reason = reason_phrase(head.status());
  out.reserve(head.fields().size() + reason.size() + 128);
  out += "HTTP/1.1 ";
  out += std::to_string(head.status());
  out += ' ';
  out += reason;
  out += "\r\nDate: ";
  out += current_date();
  out += "\r\n";
  out += head.fields();
  is_chunked = false;
  if (const auto length = head.content_length()) {
    out += "Content-Length: ";
    out += std::to_string(*length);
    out += "\r\n";
  } else if (head.status() != 304 && head.status() != 204 && request_.minor_version > 0 &&
             !request_.is_head()) {
    is_chunked = true;
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (must_close_ || is_draining_) {
    out += "Connection: close\r\n";
  } else if (request_.minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

// A body that nobody read is thrown away when it is short, else the connection ends: reading it
// on would let a client keep us busy for nothing.
async::Task<bool> Connection::discard_body(Responder& responder) {
  if (request_.expects_continue) co_return false;  // it may or may not send the body now
  std::array<std::byte, 4096> scratch;             // NOLINT: only ever written
  const auto deadline = std::chrono::steady_clock::now() + limits_.header_time;
  for (std::size_t discarded = 0; discarded <= kMaxDiscard;) {
    const auto read = co_await responder.read_body(scratch, deadline);
    if (!read) co_return false;
    if (*read == 0) co_return true;
    discarded += *read;
  }
  co_return false;
}

async::Task<> Connection::refuse(const Refusal& refusal) {
  must_close_ = true;
  request_ = Request{};
  ResponseHead head(refusal.status);
  const std::string body = std::string(refusal.reason) + "\n";
  head.add("Content-Type", "text/plain").set_content_length(body.size());
  std::string out;
  bool is_chunked = false;
  write_head(head, is_chunked, out);
  if (co_await send_all(as_byte_view(out), as_byte_view(body))) co_await linger();
}

// Closing with unread input resets the connection, and the reset may overtake the answer: so
// stop sending, then read what still comes for a moment (RFC 9112, 9.6).
async::Task<> Connection::linger() {
  transport_->finish_sending();
  deadline_ = std::chrono::steady_clock::now() + kLingerTime;
  body_floor_ = 0;
  for (std::size_t received = 0; received < 4 * kMaxDiscard;) {
    begin_ = end_ = 0;
    if (!co_await receive_more()) break;
    received += end_;
  }
}

async::Task<Result<void>> Responder::send(ResponseHead head, std::string_view body) {
  const bool has_body = head.status() != 304 && head.status() != 204;
  if (!head.content_length() && has_body) head.set_content_length(body.size());
  status_ = head.status();
  has_begun_ = true;
  std::string text;
  connection_.write_head(head, is_chunked_, text);
  const bool sends_body = has_body && !connection_.request_.is_head();
  const auto sent =
      co_await connection_.send_all(as_byte_view(text), as_byte_view(sends_body ? body : ""));
  if (!sent) co_return sent;
  if (sends_body) body_bytes_ = body.size();
  has_ended_ = true;
  co_return sent;
}

void Responder::begin(ResponseHead head) {
  status_ = head.status();
  has_begun_ = true;
  remaining_ = head.content_length();
  // Without a length, HTTP/1.0 tells the end by closing.
  if (!head.content_length() && connection_.request_.minor_version == 0)
    connection_.must_close_ = true;
  connection_.write_head(head, is_chunked_, pending_head_);
}

async::Task<Result<void>> Responder::flush() {
  if (pending_head_.empty()) co_return Result<void>{};
  const std::string head = std::exchange(pending_head_, {});
  co_return co_await connection_.send_all(as_byte_view(head), {});
}

bool Responder::take(std::uint64_t bytes) {
  if (remaining_ && *remaining_ < bytes) return false;
  if (remaining_) *remaining_ -= bytes;
  return true;
}

async::Task<Result<void>> Responder::write(ByteView bytes) {
  if (bytes.empty() || connection_.request_.is_head()) co_return Result<void>{};
  if (!take(bytes.size())) co_return beyond_length();
  std::string head = std::exchange(pending_head_, {});
  body_bytes_ += bytes.size();
  if (!is_chunked_) {
    co_return co_await connection_.send_all(as_byte_view(head), bytes);
  }
  char size[24];
  const int n = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  head.append(size, static_cast<std::size_t>(n));
  if (auto sent = co_await connection_.send_all(as_byte_view(head), bytes); !sent) co_return sent;
  co_return co_await connection_.send_all(as_byte_view("\r\n"), {});
}

async::Task<Result<void>> Responder::send_file(int fd, std::uint64_t offset, std::uint64_t length) {
  if (connection_.request_.is_head()) co_return Result<void>{};
  if (remaining_ && *remaining_ < length) co_return beyond_length();
  if (is_chunked_) co_return co_await send_file_chunked(fd, offset, length);
  // Small bodies go out with their head in one call.
  constexpr std::uint64_t kSmall = 16 * 1024;
  if (!pending_head_.empty() && length <= kSmall) {
    std::string head_and_body = std::exchange(pending_head_, {});
    const std::size_t head_size = head_and_body.size();
    head_and_body.resize(head_size + length);
    const ssize_t n =
        ::pread(fd, head_and_body.data() + head_size, length, static_cast<off_t>(offset));
    if (n < 0 || static_cast<std::uint64_t>(n) != length) {
      co_return internal_error(Code::Io, "a stored file ended early");
    }
    body_bytes_ += length;
    take(length);
    co_return co_await connection_.send_all(as_byte_view(head_and_body), {});
  }
  if (auto flushed = co_await flush(); !flushed) co_return flushed;
  std::uint64_t share = 0;
  while (length > 0) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(length, 512 * 1024));
    const Io io = connection_.transport_->send_file(fd, offset, want);
    if (io.want == Want::Closed) co_return client_gone();
    if (io.want != Want::Nothing) {
      connection_.deadline_ = std::chrono::steady_clock::now() + connection_.limits_.write_stall;
      const bool is_open = co_await connection_.transport_->wait(io.want);
      connection_.deadline_ = Connection::kNever;
      if (!is_open) co_return client_gone();
      share = 0;
      continue;
    }
    offset += io.bytes;
    length -= io.bytes;
    body_bytes_ += io.bytes;
    take(io.bytes);
    share += io.bytes;
    if (share >= kFairShare && length > 0) {
      share = 0;
      co_await boost::asio::post(co_await async::kThisExecutor, boost::asio::deferred);
    }
  }
  co_return Result<void>{};
}

async::Task<Result<void>> Responder::send_file_chunked(int fd, std::uint64_t offset,
                                                       std::uint64_t length) {
  std::vector<std::byte> piece(std::min<std::uint64_t>(length, 64 * 1024));
  while (length > 0) {
    const ssize_t n = ::pread(fd, piece.data(), std::min<std::uint64_t>(length, piece.size()),
                              static_cast<off_t>(offset));
    if (n <= 0) co_return internal_error(Code::Io, "a stored file ended early");
    const auto read = static_cast<std::size_t>(n);
    if (auto sent = co_await write(ByteView(piece).first(read)); !sent) co_return sent;
    offset += read;
    length -= read;
  }
  co_return Result<void>{};
}

async::Task<Result<void>> Responder::end() {
  if (auto flushed = co_await flush(); !flushed) co_return flushed;
  if (is_chunked_) {
    if (auto sent = co_await connection_.send_all(as_byte_view("0\r\n\r\n"), {}); !sent)
      co_return sent;
  }
  has_ended_ = remaining_.value_or(0) == 0 || connection_.request_.is_head();
  co_return Result<void>{};
}

async::Task<Result<std::size_t>> Responder::read_body(
    MutableByteView into, std::optional<std::chrono::steady_clock::time_point> deadline) {
  auto& c = connection_;
  if (c.request_.expects_continue && !has_begun_) {
    c.request_.expects_continue = false;
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    if (auto sent = co_await c.send_all(as_byte_view(kContinue), {}); !sent) {
      co_return std::unexpected(sent.error());
    }
  }
  for (;;) {
    if (c.parser_.is_complete()) co_return 0;
    const auto progress =
        c.parser_.parse_body({c.buffer_.get() + c.begin_, c.end_ - c.begin_}, into);
    if (!progress) {
      co_return client_error(Code::InvalidArgument, std::string(progress.error().reason));
    }
    c.begin_ += progress->consumed;
    received_bytes_ += progress->produced;
    if (progress->produced > 0) co_return progress->produced;
    if (progress->consumed > 0) continue;
    const auto until = deadline.value_or(std::chrono::steady_clock::now() + c.limits_.read_stall);
    c.deadline_ = until;
    const bool is_open = co_await c.receive_more();
    c.deadline_ = Connection::kNever;
    if (is_open) continue;
    if (std::chrono::steady_clock::now() < until) co_return client_gone();
    co_return client_error(Code::Timeout, "the client did not send the rest in time");
  }
}

}  // namespace fairlead::http
