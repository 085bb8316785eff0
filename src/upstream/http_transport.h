// SPDX-License-Identifier: Apache-2.0
// HttpTransport: requests to upstreams over HTTP/1.1 and HTTP/2, plain and TLS.
//
// It answers as soon as the head is there; the body is pulled piece by piece. Connections are
// kept and shared, HTTP/2 is multiplexed. It decides nothing: no redirect is followed, no status
// is an error, nothing is decoded, no credentials are added.
// One instance a worker, used on that worker's executor only.
#pragma once

#include <memory>

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"
#include "upstream/http_message.h"

namespace fairlead::upstream {

class CurlMulti;
class CurlTransfer;

class HttpResponse {
 public:
  explicit HttpResponse(std::unique_ptr<CurlTransfer> transfer);
  ~HttpResponse();  // cancels the transfer
  HttpResponse(const HttpResponse&) = delete;
  HttpResponse& operator=(const HttpResponse&) = delete;

  [[nodiscard]] int status() const;
  [[nodiscard]] const Headers& headers() const;

  // 100 Continue was asked for and never came (or 417 did), and the body was sent without.
  [[nodiscard]] bool ignored_expectation() const;

  // The next piece of the body, at most 256 KiB, as soon as there is any; valid until the next
  // read. Empty at the end. An error is final. The transfer waits for a slow reader: it holds two
  // pieces at most. Errors: Unavailable (the connection was cut, or ended before the length that
  // was promised), Timeout (stall), Cancelled.
  async::Task<Result<ByteView>> read();

 private:
  std::unique_ptr<CurlTransfer> transfer_;
};

class HttpTransport {
 public:
  explicit HttpTransport(const async::Executor& executor);
  ~HttpTransport();  // close()s; responses may outlive it
  HttpTransport(const HttpTransport&) = delete;
  HttpTransport& operator=(const HttpTransport&) = delete;

  // Returns when the head has been received. Errors: InvalidArgument (URL, or a header with
  // control characters), Unavailable (no connection; Retry::No when the TLS peer cannot be
  // trusted, which trying again will not change), Timeout, Corrupt (not HTTP, head above 64 KiB),
  // Cancelled. Their context names no URL: it may be signed. A stream that ends in an error gives
  // that error as it is. An answer before the end of the stream is the answer: no more of it is
  // sent; and the body of such an answer, if it is a success, is not waited for.
  async::Task<Result<std::unique_ptr<HttpResponse>>> send(HttpRequest request);

  // Fails all transfers, now and later, with Cancelled. Waits for nothing.
  void close();

 private:
  std::shared_ptr<CurlMulti> multi_;
};

}  // namespace fairlead::upstream
