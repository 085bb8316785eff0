// SPDX-License-Identifier: Apache-2.0
#include "upstream/curl_transfer.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ranges>
#include <tuple>

#include "upstream/curl_error.h"
#include "upstream/url.h"

namespace fairlead::upstream {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kPiece = 256 * 1024;
constexpr std::chrono::milliseconds kMinLook{10};
constexpr std::chrono::milliseconds kMaxLook{1000};
constexpr long kBulkReceiveBuffer = 512 * 1024;  // libcurl's own, one a transfer
constexpr long kSmallReceiveBuffer = 16 * 1024;

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

// libcurl itself does not look at the variables that OpenSSL's users know.
const char* from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  return value != nullptr && *value != '\0' ? value : nullptr;
}

void trust_authorities(CURL* easy, const std::string& ca_file) {
  if (!ca_file.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
    ::curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    return;
  }
  if (const char* file = from_environment("SSL_CERT_FILE")) {
    ::curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  }
  if (const char* directory = from_environment("SSL_CERT_DIR")) {
    ::curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
  }
}

void set_protocol(CURL* easy, const HttpRequest& request) {
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);  // a signature covers it
  ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  ::curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  ::curl_easy_setopt(easy, CURLOPT_USERAGENT, "fairlead/" FAIRLEAD_VERSION);
  // A large body has a connection of its own: over HTTP/2, a paused stream with data waiting holds
  // up the other streams of its connection, and libcurl (7.88) spins meanwhile.
  ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     request.is_bulk ? static_cast<long>(CURL_HTTP_VERSION_1_1)
                                     : static_cast<long>(CURL_HTTP_VERSION_2TLS));
  ::curl_easy_setopt(easy, CURLOPT_PIPEWAIT, request.is_bulk ? 0L : 1L);
  ::curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                     request.is_bulk ? kBulkReceiveBuffer : kSmallReceiveBuffer);
}

void set_network(CURL* easy, const HttpRequest& request) {
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // do not wait for a resolver that hangs
  ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  ::curl_easy_setopt(
      easy, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::max<std::int64_t>(1, request.timeouts.connect.count())));
  if (request.is_direct) {
    ::curl_easy_setopt(easy, CURLOPT_PROXY, "");
  } else if (!request.proxy.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_PROXY, request.proxy.c_str());
    ::curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  }
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
  const bool looks = !body().empty();
  const auto look_every =
      std::clamp(std::min(timeouts.stall, timeouts.first_byte) / 8, kMinLook, kMaxLook);

  std::int64_t left = looks ? unsent() : 0;
  auto changed = std::chrono::steady_clock::now() + timeouts.connect;
  while (!has_head_ && is_running_) {
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
  co_return true;
}

async::Task<Result<ByteView>> CurlTransfer::read() {
  lent_.clear();
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
  if (!set_headers()) {
    return internal_error(Code::InvalidArgument, "a header to send holds control characters");
  }
  set_protocol(easy, request_);
  set_network(easy, request_);
  trust_authorities(easy, request_.ca_file);
  ::curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  if (request_.method == "HEAD") {
    ::curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request_.method == "POST" || request_.method == "PUT") {
    ::curl_easy_setopt(easy, CURLOPT_POST, 1L);
    ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body().data());
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body().size()));
  } else if (request_.method != "GET") {
    ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  is_running_ = multi_->add(easy, *this);
  if (!is_running_) return internal_error(Code::Cancelled, "the transport is closed");
  return {};
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
  // Servers that do not know 100 Continue would cost a second.
  if (!append("Expect:")) return false;
  return ::curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, header_list_.get()) == CURLE_OK;
}

const std::string& CurlTransfer::body() const {
  return request_.shared_body ? *request_.shared_body : request_.body;
}

// Bytes of the body that the peer has not acknowledged, those that wait in the kernel too.
std::int64_t CurlTransfer::unsent() const {
  curl_off_t sent = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_socket_t socket = CURL_SOCKET_BAD;
  int waiting = 0;
  const bool is_connected =
      ::curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
      socket != CURL_SOCKET_BAD;
  if (is_connected && ::ioctl(socket, SIOCOUTQ, &waiting) != 0) waiting = 0;
  return static_cast<std::int64_t>(body().size()) - sent + waiting;
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
    has_head_ = status_ >= 200;
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
