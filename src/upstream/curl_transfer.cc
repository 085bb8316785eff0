// SPDX-License-Identifier: Apache-2.0
#include "upstream/curl_transfer.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <charconv>
#include <chrono>
#include <ranges>
#include <tuple>

#include "upstream/ascii.h"
#include "upstream/curl_error.h"
#include "upstream/curl_options.h"
#include "upstream/url.h"

namespace fairlead::upstream {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kPiece = 256 * 1024;
constexpr std::chrono::milliseconds kMinLook{10};
constexpr std::chrono::milliseconds kMaxLook{1000};
constexpr long kStreamBuffer = 256 * 1024;  // libcurl's own, of what is sent
constexpr std::chrono::milliseconds kPatienceForContinue{1000};

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// "HTTP/1.1 200 OK", "HTTP/2 200"
std::optional<int> parse_status_line(std::string_view line) {
  const auto space = line.find(' ');
  if (!line.starts_with("HTTP/") || space == std::string_view::npos) return std::nullopt;
  const std::string_view code = line.substr(space + 1, 3);
  int status = 0;
  const auto [end, ec] = std::from_chars(code.data(), code.data() + code.size(), status);
  if (ec != std::errc() || end != code.data() + 3 || status < 100) return std::nullopt;
  return status;
}

}  // namespace

CurlTransfer::CurlTransfer(std::shared_ptr<CurlMulti> multi, HttpRequest request)
    : multi_(std::move(multi)), request_(std::move(request)), waiter_(multi_->executor()) {}

CurlTransfer::~CurlTransfer() { stop(); }

async::Task<Result<void>> CurlTransfer::receive_head() {
  if (auto started = start(); !started) co_return started;
  if (!co_await wait_for_head()) {
    stop();
    co_return upstream_error(Code::Timeout, Retry::Yes, "no answer came in time");
  }
  if (has_head_) co_return Result<void>();
  if (error_) co_return std::unexpected(*error_);
  co_return upstream_error(Code::Corrupt, Retry::Yes, "the answer has no head");
}

async::Task<bool> CurlTransfer::wait_for_head() {
  const auto& timeouts = request_.timeouts;
  // libcurl does not say when a byte has gone out: now and then we look.
  const bool looks = feed_ || !body().empty();
  const auto look_every =
      std::clamp(std::min(timeouts.stall, timeouts.first_byte) / 8, kMinLook, kMaxLook);

  std::int64_t left = looks ? unsent() : 0;
  auto changed = std::chrono::steady_clock::now() + timeouts.connect;
  while (!has_head_ && is_running_) {
    if (feed_ && feed_->wants_piece()) {
      co_await feed();
      changed = std::chrono::steady_clock::now();
      continue;
    }
    const auto deadline = changed + (left > 0 ? timeouts.stall : timeouts.first_byte);
    const auto look = looks ? std::chrono::steady_clock::now() + look_every : deadline;
    if (co_await wait_until(std::min(look, deadline)) || has_head_ || !is_running_) continue;
    const auto now = std::chrono::steady_clock::now();
    if (const auto left_now = looks ? unsent() : 0; left_now != left) {
      left = left_now;
      changed = now;
    } else if (now >= deadline) {
      co_return false;
    }
  }
  resume_stream();  // libcurl ends no transfer that is paused
  co_return true;
}

async::Task<> CurlTransfer::feed() {
  namespace experimental = boost::asio::experimental;
  is_waiting_ = is_feeding_ = true;
  waiter_.expires_at(async::Timer::time_point::max());
  auto [order, ec, thrown, read] =
      co_await experimental::make_parallel_group(
          waiter_.async_wait(boost::asio::deferred),
          boost::asio::co_spawn(multi_->executor(), feed_->read_piece(), boost::asio::deferred))
          .async_wait(experimental::wait_for_one(), boost::asio::deferred);
  is_waiting_ = is_feeding_ = false;
  if (has_head_ || !is_running_) co_return;
  if (thrown || !read) {
    stop();  // closes the connection: to the server it ends in the middle
    error_ = std::make_unique<Error>(
        thrown ? internal_error(Code::Cancelled, "what was to be sent is cancelled").error()
               : std::move(read.error()));
    co_return;
  }
  resume_stream();
}

async::Task<Result<ByteView>> CurlTransfer::read() {
  lent_.clear();
  // libcurl would go on sending after an early success, and we have nothing more for it.
  if (feed_ && !feed_->is_finished() && status_ < 300 && filling_.empty()) stop();
  while (filling_.empty() && is_running_) {
    const auto deadline = std::chrono::steady_clock::now() + request_.timeouts.stall;
    if (co_await wait_until(deadline) || !filling_.empty() || !is_running_) continue;
    stop();
    error_ = std::make_unique<Error>(
        upstream_error(Code::Timeout, Retry::Yes, "the transfer stalled").error());
  }
  // What had come before an error is the reader's all the same.
  if (filling_.empty() && error_) co_return std::unexpected(*error_);
  std::swap(filling_, lent_);
  resume();
  co_return ByteView(lent_);
}

Result<void> CurlTransfer::start() {
  easy_.reset(::curl_easy_init());
  if (!easy_) return internal_error(Code::Internal, "libcurl has no memory for a transfer");
  CURL* const easy = easy_.get();
  if (!origin_of(request_.url)) {
    return internal_error(Code::InvalidArgument, "not an http or https URL");
  }
  if (request_.stream && request_.stream_length != 0) {
    feed_ = std::make_unique<UploadFeed>(request_.stream, request_.stream_length);
  }
  if (!set_headers()) {
    return internal_error(Code::InvalidArgument, "a header to send holds control characters");
  }
  set_options(easy, request_);
  ::curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  set_method();
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  ::curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &CurlTransfer::on_request);
  ::curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  is_running_ = multi_->add(easy, *this);
  if (!is_running_) return internal_error(Code::Cancelled, "the transport is closed");
  return {};
}

void CurlTransfer::set_method() {
  CURL* const easy = easy_.get();
  const std::string& method = request_.method;
  if (feed_) {
    ::curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);  // with Expect: 100-continue
    ::curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS,
                       static_cast<long>(kPatienceForContinue.count()));
    ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    ::curl_easy_setopt(
        easy, CURLOPT_INFILESIZE_LARGE,
        request_.stream_length ? static_cast<curl_off_t>(*request_.stream_length) : -1);
    ::curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kStreamBuffer);
    ::curl_easy_setopt(easy, CURLOPT_READFUNCTION, &CurlTransfer::on_send);
    ::curl_easy_setopt(easy, CURLOPT_READDATA, this);
  } else if (method == "HEAD") {
    ::curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (method == "POST" || method == "PUT" || method == "PATCH") {
    ::curl_easy_setopt(easy, CURLOPT_POST, 1L);
    ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body().data());
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body().size()));
  } else if (method != "GET") {
    ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

bool CurlTransfer::set_headers() {
  const auto append = [this](const std::string& line) {
    curl_slist* const list = ::curl_slist_append(header_list_.get(), line.c_str());
    if (list == nullptr) return false;
    std::ignore = header_list_.release();  // it goes on inside `list`
    header_list_.reset(list);
    return true;
  };
  for (const auto& [name, value] : request_.headers) {
    if (has_control_characters(name) || has_control_characters(value)) return false;
    std::string line = name;
    line.append(": ").append(value);
    if (!value.empty() && !append(line)) return false;
  }
  if (!append("Accept-Encoding: identity")) return false;
  // libcurl would call it a form.
  const bool has_type = std::ranges::any_of(request_.headers, [](const auto& header) {
    return equal_ignoring_case(header.first, "Content-Type");
  });
  if (!has_type && !append("Content-Type:")) return false;
  // Servers that do not know 100 Continue would cost a second.
  if (!expects_continue() && !append("Expect:")) return false;
  return ::curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, header_list_.get()) == CURLE_OK;
}

const std::string& CurlTransfer::body() const {
  return request_.shared_body ? *request_.shared_body : request_.body;
}

bool CurlTransfer::ignored_expectation() const {
  if (!expects_continue() || has_continued_) return false;
  return has_failed_expectation_ || feed_->is_begun();
}

// Bytes of the body that the peer has not acknowledged, those that wait in the kernel too.
std::int64_t CurlTransfer::unsent() const {
  curl_off_t sent = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
  int waiting = 0;
  if (socket_ >= 0 && ::ioctl(socket_, SIOCOUTQ, &waiting) != 0) waiting = 0;
  const std::uint64_t size = feed_ ? feed_->received() : body().size();
  return static_cast<std::int64_t>(size) - sent + waiting;
}

std::size_t CurlTransfer::on_send(char* room, std::size_t size, std::size_t count,
                                  void* self_pointer) {
  auto& self = *static_cast<CurlTransfer*>(self_pointer);
  const bool stops = self.has_head_ && !self.feed_->is_finished();
  const auto taken = stops ? std::nullopt : self.feed_->take(std::span(room, size * count));
  if (self.feed_->wants_piece() && !self.is_feeding_) self.wake();
  self.is_stream_paused_ = !taken;
  return taken.value_or(CURL_READFUNC_PAUSE);
}

// Before each request on a connection. A connection that was kept may turn out to be dead, and
// libcurl then goes to another: with what of a stream it has not yet asked for.
int CurlTransfer::on_request(void* self_pointer, char* /*peer*/, char* /*own*/, int /*peer_port*/,
                             int /*own_port*/) {
  auto& self = *static_cast<CurlTransfer*>(self_pointer);
  if (self.request_.has_gone_out) *self.request_.has_gone_out = true;
  self.was_sent_in_part_ = self.feed_ && self.feed_->is_begun();
  return self.was_sent_in_part_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  const std::string_view line(data, size * count);
  return static_cast<CurlTransfer*>(self)->take_header_line(line) ? line.size() : 0;
}

bool CurlTransfer::take_header_line(std::string_view line) {
  if (has_head_) return true;  // a trailer
  head_size_ += line.size();
  if (head_size_ > kMaxHead) {
    head_fault_ = "the head of the answer is above 64 KiB";
    return false;
  }
  const std::string_view text = trim(line);
  if (text.starts_with("HTTP/")) {
    const auto status = parse_status_line(text);
    if (!status) {
      head_fault_ = "the answer has a malformed status line";
      return false;
    }
    status_ = *status;
    headers_.clear();
  } else if (text.empty()) {
    // It will not hear of 100 Continue: libcurl asks once more, without.
    const bool is_asked_again =
        status_ == 417 && feed_ && !feed_->is_begun() && !has_failed_expectation_;
    if (is_asked_again) has_failed_expectation_ = true;
    if (status_ == 100) has_continued_ = true;
    has_head_ = status_ >= 200 && !is_asked_again;
    if (has_head_) wake();
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    headers_.add(std::string(text.substr(0, colon)), std::string(trim(text.substr(colon + 1))));
  }
  return true;
}

std::size_t CurlTransfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->take_body(
      as_byte_view(std::string_view(data, size * count)));
}

std::size_t CurlTransfer::take_body(ByteView bytes) {
  if (!filling_.empty() && filling_.size() + bytes.size() > kPiece) {
    is_paused_ = true;
    wake();
    return CURL_WRITEFUNC_PAUSE;  // libcurl keeps this portion and delivers it again
  }
  filling_.insert(filling_.end(), bytes.begin(), bytes.end());
  wake();
  return bytes.size();
}

void CurlTransfer::finished(CURLcode code) {
  is_running_ = false;
  if (head_fault_ != nullptr) {
    error_ = std::make_unique<Error>(upstream_error(Code::Corrupt, Retry::No, head_fault_).error());
  } else if (was_sent_in_part_) {
    error_ = std::make_unique<Error>(curl_error(easy_.get(), CURLE_SEND_FAIL_REWIND));
  } else if (code != CURLE_OK) {
    error_ = std::make_unique<Error>(curl_error(easy_.get(), code));
  }
  wake();
}

void CurlTransfer::closed() {
  is_running_ = false;
  error_ =
      std::make_unique<Error>(internal_error(Code::Cancelled, "the transport is closed").error());
  wake();
}

void CurlTransfer::stop() {
  if (!is_running_) return;
  is_running_ = false;
  multi_->remove(easy_.get());
}

void CurlTransfer::resume() {
  if (!is_paused_ || !is_running_) return;
  is_paused_ = false;  // before the call: it delivers, and may pause again
  ::curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
}

void CurlTransfer::resume_stream() {
  if (!is_stream_paused_ || !is_running_) return;
  is_stream_paused_ = false;
  ::curl_easy_pause(easy_.get(), is_paused_ ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

// The coroutine goes on after the present call into libcurl, so what arrives in that call is
// collected first.
void CurlTransfer::wake() {
  if (!is_waiting_) return;
  is_waiting_ = false;
  waiter_.cancel();
}

async::Task<bool> CurlTransfer::wait_until(SteadyTime deadline) {
  is_waiting_ = true;
  waiter_.expires_at(deadline);
  co_await waiter_.async_wait(async::kAsTuple);
  is_waiting_ = false;
  co_return std::chrono::steady_clock::now() < deadline;
}

}  // namespace fairlead::upstream
