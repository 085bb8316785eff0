// SPDX-License-Identifier: Apache-2.0
// CurlTransfer: one request and its answer, as a coroutine sees it.
//
// libcurl delivers the body in 16 KiB portions, whenever it likes; we collect them:
//
//   libcurl --> filling_ (up to 256 KiB) --> lent_ (what the reader holds) --> reader
//
// A reader that waits is given whatever has come once libcurl has nothing more at the moment. A
// reader that is behind finds filling_ full; then the transfer is paused, and the peer's TCP or
// HTTP/2 window with it, so the memory of a transfer never exceeds these two.
//
// What is sent is not copied but for libcurl's own 64 KiB (a stream: UploadFeed, and 256 KiB).
// While bytes of it go out, what counts is the stall timeout; the answer's first byte is waited for
// from when the last has. While the next piece of a stream is waited for, that is all that counts.
// One worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "async/timer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "upstream/curl_multi.h"
#include "upstream/http_message.h"
#include "upstream/upload_feed.h"

namespace fairlead::upstream {

class CurlTransfer final : public CurlJob {
 public:
  CurlTransfer(std::shared_ptr<CurlMulti> multi, HttpRequest request);
  ~CurlTransfer() override;  // cancels it
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Starts the transfer, once, and returns when the final head has come (not a 1xx).
  async::Task<Result<void>> receive_head();

  // See HttpResponse::read.
  async::Task<Result<ByteView>> read();

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const Headers& headers() const { return headers_; }
  [[nodiscard]] bool ignored_expectation() const;

 private:
  struct EasyCleanup {
    void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
  };
  struct ListCleanup {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
  };

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_send(char* room, std::size_t size, std::size_t count, void* self);
  static int on_request(void* self, char* peer, char* own, int peer_port, int own_port);

  [[nodiscard]] Result<void> start();
  void set_method();
  bool set_headers();
  [[nodiscard]] const std::string& body() const;
  [[nodiscard]] std::int64_t unsent() const;
  [[nodiscard]] bool expects_continue() const { return feed_ && request_.expects_continue; }
  bool take_header_line(std::string_view line);
  std::size_t take_body(ByteView bytes);

  void watches(int fd) override { socket_ = fd; }
  void finished(CURLcode code) override;
  void closed() override;
  void stop();           // leaves the multi handle
  void resume();         // after a pause of the answer's body
  void resume_stream();  // after one of what is sent
  void wake();
  async::Task<bool> wait_until(SteadyTime deadline);  // false: it has passed
  async::Task<bool> wait_for_head();                  // false: in vain
  async::Task<> feed();  // reads the stream's next piece, unless the transfer ends before

  std::shared_ptr<CurlMulti> multi_;
  HttpRequest request_;
  std::unique_ptr<CURL, EasyCleanup> easy_;
  std::unique_ptr<curl_slist, ListCleanup> header_list_;
  async::Timer waiter_;  // the coroutine that waits; woken by cancelling
  bool is_waiting_ = false;

  bool is_running_ = false;
  int socket_ = -1;  // libcurl's
  bool is_paused_ = false;
  std::unique_ptr<UploadFeed> feed_;  // null: no stream
  bool is_feeding_ = false;           // waits for its next piece
  bool is_stream_paused_ = false;
  bool was_sent_in_part_ = false;  // and libcurl would have sent the rest to another connection
  std::unique_ptr<Error> error_;   // why it ended; null: not yet, or well

  bool has_head_ = false;
  int status_ = 0;
  Headers headers_;
  std::size_t head_size_ = 0;
  const char* head_fault_ = nullptr;  // why we refused the head
  bool has_continued_ = false;        // 100 Continue has come
  bool has_failed_expectation_ = false;

  std::vector<std::byte> filling_;
  std::vector<std::byte> lent_;
};

}  // namespace fairlead::upstream
