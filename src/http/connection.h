// SPDX-License-Identifier: Apache-2.0
// Connection: one client's connection from handshake to close, request after request.
//
// A request's answer goes out through Responder. Requests that are pipelined wait in the buffer:
// the next is read only when the one before has been answered in full. A connection is used on
// one worker's thread only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/options.h"
#include "http/request.h"
#include "http/request_parser.h"
#include "http/response.h"
#include "http/transport.h"

namespace fairlead::http {

class Connection;

// The answer to one request. Every call but the first fails once the client is gone; then the
// handler has nothing left to do.
class Responder {
 public:
  // A whole answer. For HEAD, `body` is not sent, and its size is the Content-Length unless the
  // head carries one.
  async::Task<Result<void>> send(ResponseHead head, std::string_view body);

  // An answer whose body follows in pieces: begin, any number of write and send_file, end.
  // The head goes out with the first piece, or by flush(). Of an answer to HEAD only that goes out;
  // more than the promised Content-Length is an error, and cuts the connection.
  void begin(ResponseHead head);
  async::Task<Result<void>> flush();
  async::Task<Result<void>> write(ByteView bytes);
  async::Task<Result<void>> send_file(int fd, std::uint64_t offset, std::uint64_t length);
  async::Task<Result<void>> end();

  // The next bytes of the request's body; 0 at its end. Sends "100 Continue" first where the
  // client waits for it. At `deadline`, else after Limits::read_stall without a byte, the
  // connection is cut (the attack: a body that comes byte by byte, or never, on as many connections
  // as there may be).
  async::Task<Result<std::size_t>> read_body(
      MutableByteView into,
      std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt);

  [[nodiscard]] bool has_begun() const { return has_begun_; }
  [[nodiscard]] bool has_ended() const { return has_ended_; }
  [[nodiscard]] int status() const { return status_; }                    // 0 before the head
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }  // sent so far
  [[nodiscard]] std::uint64_t received_bytes() const { return received_bytes_; }  // by read_body

 private:
  friend class Connection;
  explicit Responder(Connection& connection) : connection_(connection) {}
  async::Task<Result<void>> send_file_chunked(int fd, std::uint64_t offset, std::uint64_t length);

  Connection& connection_;
  std::string pending_head_;  // not yet sent
  bool has_begun_ = false;
  bool has_ended_ = false;
  bool is_chunked_ = false;
  int status_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  // False: there is no room for `bytes` more in the promised length.
  bool take(std::uint64_t bytes);
  std::optional<std::uint64_t> remaining_;  // of the promised Content-Length
};

// Answers one request. Returning without an answer in full cuts the connection: what has been
// sent then ends short of its Content-Length, and the client knows.
using Handler = std::function<async::Task<>(const Request&, Responder&)>;

// Buffers that connections of one worker use while a request is being received or answered, so
// that an idle connection holds none.
class BufferPool {
 public:
  explicit BufferPool(std::size_t size) : size_(size) {}
  std::unique_ptr<char[]> take();
  void give_back(std::unique_ptr<char[]> buffer);
  [[nodiscard]] std::size_t buffer_size() const { return size_; }

 private:
  std::size_t size_;
  std::vector<std::unique_ptr<char[]>> free_;
};

class Connection {
 public:
  Connection(std::unique_ptr<Transport> transport, const Limits& limits, BufferPool& buffers,
             std::string peer, bool is_secure);
  ~Connection();

  // Serves until the connection ends.
  async::Task<> run(const Handler& handler);

  // Closes at once when no request is in flight, else after its answer.
  void drain();

  // Closes now.
  void abort();

  // Called about once a second: closes the connection when what it waits for is overdue.
  void sweep(std::chrono::steady_clock::time_point now);

 private:
  friend class Responder;
  using SteadyTime = std::chrono::steady_clock::time_point;
  static constexpr SteadyTime kNever = SteadyTime::max();

  async::Task<bool> complete_handshake();
  enum class Received { Head, Closed, TooLarge, NotHttp };
  async::Task<Received> receive_head();
  async::Task<bool> discard_body(Responder& responder);
  async::Task<> refuse(const Refusal& refusal);
  async::Task<> linger();

  async::Task<bool> receive_more();
  async::Task<Result<void>> send_all(ByteView first, ByteView second);
  void write_head(const ResponseHead& head, bool& is_chunked, std::string& out) const;

  std::unique_ptr<Transport> transport_;
  const Limits& limits_;
  BufferPool& buffers_;
  std::string peer_;
  bool is_secure_;

  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;  // of what is received and not yet used
  std::size_t end_ = 0;
  std::size_t body_floor_ = 0;  // bytes in front hold the head in use

  RequestParser parser_;
  Request request_;
  bool is_draining_ = false;
  bool in_request_ = false;
  bool must_close_ = false;
  SteadyTime deadline_ = kNever;
};

}  // namespace fairlead::http
