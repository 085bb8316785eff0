// SPDX-License-Identifier: Apache-2.0
#include "upstream/curl_multi.h"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace fairlead::upstream {
namespace {

constexpr long kIdleConnections = 64;  // kept open, all upstreams of a worker together

using Descriptor = boost::asio::posix::descriptor_base;

void initialize_libcurl() {
  static const CURLcode code = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::runtime_error("libcurl does not start");
}

}  // namespace

CurlMulti::Watch::Watch(const async::Executor& executor, int fd) : descriptor(executor) {
  // Fails when the kernel has no memory for it; then the transfer's deadline ends the transfer.
  boost::system::error_code ec;
  descriptor.assign(fd, ec);
}

CurlMulti::Watch::~Watch() {
  if (descriptor.is_open()) descriptor.release();
}

CurlMulti::CurlMulti(const async::Executor& executor) : executor_(executor), timer_(executor) {
  initialize_libcurl();
  multi_ = ::curl_multi_init();
  if (multi_ == nullptr) throw std::runtime_error("libcurl does not start");
  ::curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
  ::curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  ::curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
  ::curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  ::curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  ::curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
}

CurlMulti::~CurlMulti() {
  close();
  ::curl_multi_cleanup(multi_);  // closes the idle connections, through on_close_socket
}

bool CurlMulti::add(CURL* easy, CurlJob& job) {
  if (is_closed_) return false;
  ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlMulti::on_open_socket);
  ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  ::curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlMulti::on_close_socket);
  ::curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  jobs_.emplace(easy, &job);
  if (::curl_multi_add_handle(multi_, easy) == CURLM_OK) return true;
  jobs_.erase(easy);
  return false;
}

void CurlMulti::remove(CURL* easy) {
  if (jobs_.erase(easy) != 0) ::curl_multi_remove_handle(multi_, easy);
}

void CurlMulti::close() {
  is_closed_ = true;
  for (auto& [easy, job] : std::exchange(jobs_, {})) {
    ::curl_multi_remove_handle(multi_, easy);
    job->closed();
  }
}

int CurlMulti::on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* /*per_socket*/) {
  static_cast<CurlMulti*>(self)->watch(easy, fd, what);
  return 0;
}

void CurlMulti::watch(CURL* easy, int fd, int what) {
  const auto job = jobs_.find(easy);
  if (job != jobs_.end()) job->second->watches(what == CURL_POLL_REMOVE ? -1 : fd);
  if (what == CURL_POLL_REMOVE) return unwatch(fd);
  auto& entry = watches_[fd];
  if (!entry) entry = std::make_shared<Watch>(executor_, fd);
  entry->wants_read = (what & CURL_POLL_IN) != 0;
  entry->wants_write = (what & CURL_POLL_OUT) != 0;
  arm(fd, entry);
}

void CurlMulti::unwatch(int fd) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) return;
  auto& descriptor = found->second->descriptor;
  if (descriptor.is_open()) descriptor.release();  // ends its waits; the socket stays libcurl's
  watches_.erase(found);
}

void CurlMulti::arm(int fd, const std::shared_ptr<Watch>& watch) {
  const auto start = [&](Descriptor::wait_type wait, bool Watch::* wants, bool Watch::* is_waiting,
                         int event) {
    if (!(*watch.*wants) || (*watch.*is_waiting)) return;
    *watch.*is_waiting = true;
    watch->descriptor.async_wait(
        wait, [weak = weak_from_this(), weak_watch = std::weak_ptr(watch), fd, wants, is_waiting,
               event](const boost::system::error_code& ec) {
          const auto self = weak.lock();
          const auto watch = weak_watch.lock();
          if (!self || !watch || ec == boost::asio::error::operation_aborted) return;
          *watch.*is_waiting = false;
          if (!(*watch.*wants)) return;
          self->act(fd, ec ? CURL_CSELECT_ERR : event);
          // Unless libcurl has let go of the descriptor meanwhile, it wants to hear more.
          const auto found = self->watches_.find(fd);
          if (found != self->watches_.end() && found->second == watch) self->arm(fd, watch);
        });
  };
  start(Descriptor::wait_read, &Watch::wants_read, &Watch::is_reading, CURL_CSELECT_IN);
  start(Descriptor::wait_write, &Watch::wants_write, &Watch::is_writing, CURL_CSELECT_OUT);
}

int CurlMulti::on_timer(CURLM* /*multi*/, long timeout_ms, void* self_pointer) {
  auto& self = *static_cast<CurlMulti*>(self_pointer);
  if (timeout_ms < 0) {
    self.timer_.cancel();
    return 0;
  }
  self.timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  self.timer_.async_wait([weak = self.weak_from_this()](const boost::system::error_code& ec) {
    if (ec) return;
    if (const auto alive = weak.lock()) alive->act(CURL_SOCKET_TIMEOUT, 0);
  });
  return 0;
}

curl_socket_t CurlMulti::on_open_socket(void* /*self*/, curlsocktype /*purpose*/,
                                        curl_sockaddr* address) {
  // Credential helpers are child processes: they must not inherit it.
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int CurlMulti::on_close_socket(void* self, curl_socket_t fd) {
  static_cast<CurlMulti*>(self)->unwatch(fd);
  return ::close(fd);
}

void CurlMulti::act(int fd, int events) {
  int running = 0;
  ::curl_multi_socket_action(multi_, fd, events, &running);
  report_finished();
}

void CurlMulti::report_finished() {
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;  // `message` dies with the removal
    const auto found = jobs_.find(easy);
    if (found == jobs_.end()) continue;
    CurlJob& job = *found->second;
    jobs_.erase(found);
    ::curl_multi_remove_handle(multi_, easy);
    job.finished(code);
  }
}

}  // namespace fairlead::upstream
