// SPDX-License-Identifier: Apache-2.0
// Transport: the bytes of one connection, plain or TLS, without blocking and without waiting.
//
// Each call does what can be done now and says what to wait for when that is nothing; wait() is
// the one coroutine. So a call that goes well at once costs one system call and no suspension.
// Used on one worker's thread.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "async/task.h"
#include "base/bytes.h"
#include "base/unique_fd.h"

namespace fairlead::http {

enum class Want {
  Nothing,  // `bytes` were moved
  Read,     // nothing moved: wait until the socket is readable
  Write,    // nothing moved: wait until it is writable
  Closed,   // the other side has ended, or the connection is broken
};

struct Io {
  std::size_t bytes = 0;
  Want want = Want::Nothing;
};

class Transport {
 public:
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Want::Nothing once done. Plain transports are always done.
  virtual Io handshake() = 0;
  virtual Io read(MutableByteView into) = 0;
  // Sends from `first`, then `second`; may take only a part of either. At least one is not empty.
  virtual Io write(ByteView first, ByteView second) = 0;
  // Sends bytes of a file, which must not change there meanwhile. `length` > 0.
  virtual Io send_file(int fd, std::uint64_t offset, std::size_t length) = 0;
  // Tells the other side that we send no more.
  virtual void finish_sending() = 0;

  // False when the connection was closed meanwhile.
  async::Task<bool> wait(Want want);

  // Ends the connection: pending and later waits return false.
  void close();

 protected:
  Transport(const async::Executor& executor, UniqueFd socket);
  [[nodiscard]] int fd() { return descriptor_.native_handle(); }

 private:
  boost::asio::posix::basic_stream_descriptor<async::Executor> descriptor_;
  bool is_closed_ = false;
};

std::unique_ptr<Transport> make_plain_transport(const async::Executor& executor, UniqueFd socket);
std::unique_ptr<Transport> make_tls_transport(const async::Executor& executor, UniqueFd socket,
                                              SSL_CTX& context);

}  // namespace fairlead::http
