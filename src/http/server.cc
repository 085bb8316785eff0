// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "async/timer.h"
#include "http/listen.h"

namespace fairlead::http {

using Descriptor = boost::asio::posix::basic_stream_descriptor<async::Executor>;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kSweepInterval{1};
constexpr std::chrono::seconds kCertificateInterval{30};
constexpr std::size_t kBodyBuffer = 16 * 1024;
constexpr int kUnsent = 256 * 1024;  // bytes

}  // namespace

// One listening socket and the worker that accepts from it.
struct Server::Listener {
  Listener(const async::Executor& executor, int fd) : descriptor(executor, fd) {}
  Descriptor descriptor;
  std::size_t worker = 0;
  bool hands_out = false;  // spreads its connections over all workers
  std::string unix_path;
};

// What one worker's thread alone touches.
struct Server::Worker {
  Worker(const async::Executor& executor, std::size_t buffer_size)
      : buffers(buffer_size), sweep_timer(executor) {}
  BufferPool buffers;
  std::unordered_set<Connection*> connections;
  async::Timer sweep_timer;
};

Server::Server(ServerOptions options, async::Workers& workers, std::vector<Handler> handlers,
               telemetry::Log& log)
    : options_(std::move(options)), workers_(workers), handlers_(std::move(handlers)), log_(log) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    states_.push_back(
        std::make_unique<Worker>(workers_.executor(i), options_.limits.header_bytes + kBodyBuffer));
  }
}

Server::~Server() = default;

Result<void> Server::start() {
  if (!options_.tls.certificate.empty()) {
    auto tls = TlsContext::load(options_.tls);
    if (!tls) return std::unexpected(std::move(tls.error()));
    tls_ = std::move(*tls);
  }
  for (const auto& address : options_.listen) {
    if (auto bound = bind(address); !bound) {
      for (const auto& listener : listeners_) {
        if (!listener->unix_path.empty()) ::unlink(listener->unix_path.c_str());
      }
      listeners_.clear();
      addresses_.clear();
      return bound;
    }
  }
  for (auto& listener : listeners_) {
    loops_.spawn(workers_.executor(listener->worker), accept_loop(listener.get()));
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    loops_.spawn(workers_.executor(i), sweep_loop(i));
  }
  return {};
}

Result<void> Server::bind(const std::string& address) {
  auto listening = listen_on(address, workers_.size(), options_.unix_mode);
  if (!listening) return std::unexpected(std::move(listening.error()));
  for (std::size_t i = 0; i < listening->sockets.size(); ++i) {
    auto listener =
        std::make_unique<Listener>(workers_.executor(i), listening->sockets[i].release());
    listener->worker = i;
    listener->hands_out = !listening->unix_path.empty();
    listener->unix_path = listening->unix_path;
    listeners_.push_back(std::move(listener));
  }
  const bool is_unix = !listening->unix_path.empty();
  if (options_.is_announced) {
    log_.info("listening on " + (is_unix ? "" : std::string(tls_ ? "https://" : "http://")) +
              listening->address);
  }
  addresses_.push_back(std::move(listening->address));
  return {};
}

async::Task<> Server::accept_loop(Listener* listener) {
  std::size_t next = listener->worker;
  while (!is_stopping_) {
    const auto [ec] =
        co_await listener->descriptor.async_wait(Descriptor::wait_read, async::kAsTuple);
    if (ec || is_stopping_) break;
    UniqueFd socket(::accept4(listener->descriptor.native_handle(), nullptr, nullptr,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log_.warn(
            "cannot accept connections: out of file descriptors or memory; raise the limit "
            "of open files (ulimit -n)");
        co_await async::sleep_for(std::chrono::milliseconds(200));
      }
      continue;
    }
    if (open_ >= options_.limits.connections) {
      refuse_connection(std::move(socket), 503);
      continue;
    }
    std::string peer = peer_name(socket.get());
    auto place = counts_.enter(peer);
    if (!place) {
      refuse_connection(std::move(socket), 429);
      continue;
    }
    const std::size_t worker = listener->hands_out ? next++ % workers_.size() : listener->worker;
    ++open_;
    if (!connections_.spawn(workers_.executor(worker),
                            serve(worker, std::move(socket), std::move(peer), *std::move(place)))) {
      --open_;
    }
  }
}

void Server::refuse_connection(UniqueFd socket, int status) const {
  if (tls_) return;
  const std::string busy = "HTTP/1.1 " + std::to_string(status) + " " +
                           std::string(reason_phrase(status)) +
                           "\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  // Best effort: the connection is closed either way.
  std::ignore = ::send(socket.get(), busy.data(), busy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

async::Task<> Server::serve(std::size_t worker, UniqueFd socket, std::string peer,
                            ConnectionCounts::Place place) {
  const auto counted = std::move(place);  // until here ends, not until the frame goes
  Worker& state = *states_[worker];
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A slow client makes the socket writable again after this much, not after megabytes: its
  // progress is seen, and the kernel holds little for it.
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsent, sizeof kUnsent);
  const async::Executor executor = workers_.executor(worker);
  const auto tls = tls_ ? tls_->current() : nullptr;
  const bool is_secure = tls && peer != "unix";
  auto transport = is_secure ? make_tls_transport(executor, std::move(socket), *tls)
                             : make_plain_transport(executor, std::move(socket));
  Connection connection(std::move(transport), options_.limits, state.buffers, std::move(peer),
                        is_secure);
  state.connections.insert(&connection);
  if (!is_stopping_) co_await connection.run(handlers_[worker]);
  state.connections.erase(&connection);
  --open_;
}

async::Task<> Server::sweep_loop(std::size_t worker) {
  Worker& state = *states_[worker];
  auto next_certificate_check = SteadyClock::now() + kCertificateInterval;
  while (!is_drained_) {  // what is overdue is closed during the drain too
    state.sweep_timer.expires_after(kSweepInterval);
    co_await state.sweep_timer.async_wait(async::kAsTuple);
    const auto now = SteadyClock::now();
    for (Connection* connection : state.connections) connection->sweep(now);
    if (worker == 0 && tls_ && now >= next_certificate_check) {
      next_certificate_check = now + kCertificateInterval;
      const auto reloaded = tls_->reload_if_changed();
      if (!reloaded) {
        log_.error("certificate not reloaded, the previous one stays: " + reloaded.error().context);
      } else if (*reloaded) {
        log_.info("certificate reloaded");
      }
    }
  }
}

void Server::reload_certificates() {
  if (!tls_) return;
  if (const auto reloaded = tls_->reload(); !reloaded) {
    log_.error("certificate not reloaded, the previous one stays: " + reloaded.error().context);
  } else {
    log_.info("certificate reloaded");
  }
}

async::Task<> Server::drain() {
  is_stopping_ = true;
  connections_.close();
  for (auto& listener : listeners_) {
    boost::asio::post(workers_.executor(listener->worker), [listener = listener.get()] {
      boost::system::error_code ignored;
      listener->descriptor.close(ignored);
      if (!listener->unix_path.empty()) ::unlink(listener->unix_path.c_str());
    });
  }
  for_each_connection(&Connection::drain);
  if (!co_await connections_.join(SteadyClock::now() + options_.limits.drain)) {
    log_.warn("cutting requests that did not finish in time",
              {{"connections", static_cast<std::int64_t>(connections_.size())}});
  }
}

async::Task<> Server::stop() {
  for_each_connection(&Connection::abort);
  co_await connections_.join(SteadyClock::time_point::max());
  is_drained_ = true;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    boost::asio::post(workers_.executor(i),
                      [state = states_[i].get()] { state->sweep_timer.cancel(); });
  }
  co_await loops_.join(SteadyClock::time_point::max());
}

void Server::for_each_connection(void (Connection::*act)()) {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    boost::asio::post(workers_.executor(i), [state = states_[i].get(), act] {
      for (Connection* connection : state->connections) (connection->*act)();
    });
  }
}

}  // namespace fairlead::http
