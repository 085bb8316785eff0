// SPDX-License-Identifier: Apache-2.0
// CurlMulti: libcurl's multi socket interface on an Asio executor.
//
// libcurl says which descriptors it wants to know about and when it wants to be called; we wait
// with Asio and call it. Three things to know before changing anything here:
//   - libcurl calls back from within any call to it; nothing in a callback may call into it again
//     or destroy a transfer, so callbacks only note and wake.
//   - it owns its sockets: Asio only borrows the descriptor, and must have let go of it before
//     libcurl closes it, or a new socket of the same number is never reported.
//   - a handler that Asio has already queued runs even when its timer or descriptor is gone, so
//     each holds a weak reference.
// One worker's thread. Includes libcurl's header, as curl_*.h do and nobody else.
#pragma once

#include <curl/curl.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <unordered_map>

#include "async/task.h"
#include "async/timer.h"

namespace fairlead::upstream {

// A transfer, as its CurlMulti sees it.
class CurlJob {
 public:
  virtual ~CurlJob() = default;

  // libcurl waits for this descriptor on the transfer's behalf; -1: not any more. Called from
  // within libcurl's callbacks.
  virtual void watches(int fd) = 0;

  // The transfer ended and has left the multi handle. May be called from within any call to the
  // multi handle, never from within one of libcurl's callbacks.
  virtual void finished(CURLcode code) = 0;

  // The transport was closed: the same, without an answer of libcurl's.
  virtual void closed() = 0;
};

class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
 public:
  explicit CurlMulti(const async::Executor& executor);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  [[nodiscard]] const async::Executor& executor() const { return executor_; }

  // Starts the transfer of `easy`. It runs until finished(), closed() or remove(). False when
  // closed, or when libcurl refuses.
  [[nodiscard]] bool add(CURL* easy, CurlJob& job);
  void remove(CURL* easy);

  void close();

 private:
  // A descriptor of libcurl's that we watch for it.
  struct Watch {
    Watch(const async::Executor& executor, int fd);
    ~Watch();
    boost::asio::posix::basic_stream_descriptor<async::Executor> descriptor;
    bool wants_read = false;
    bool wants_write = false;
    bool is_reading = false;  // a wait is outstanding
    bool is_writing = false;
  };

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* per_socket);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close_socket(void* self, curl_socket_t fd);

  void watch(CURL* easy, int fd, int what);
  void unwatch(int fd);
  void arm(int fd, const std::shared_ptr<Watch>& watch);
  void act(int fd, int events);
  void report_finished();

  async::Executor executor_;
  async::Timer timer_;
  CURLM* multi_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::unordered_map<CURL*, CurlJob*> jobs_;
  bool is_closed_ = false;
};

}  // namespace fairlead::upstream
