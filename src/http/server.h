// SPDX-License-Identifier: Apache-2.0
// Server: listeners, the connections they accept, and the orderly end of both.
//
// Every worker has a listening socket of its own for each TCP address (SO_REUSEPORT), so a
// connection is accepted, served and closed on one thread. A unix socket has one, on the first
// worker, which hands connections out in turn.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "async/task.h"
#include "async/task_group.h"
#include "async/workers.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "http/connection.h"
#include "http/connection_counts.h"
#include "http/options.h"
#include "http/tls_context.h"
#include "telemetry/log.h"

namespace fairlead::http {

class Server {
 public:
  // `handlers[i]` answers what worker i receives. All references must outlive the server.
  Server(ServerOptions options, async::Workers& workers, std::vector<Handler> handlers,
         telemetry::Log& log);
  ~Server();

  // Binds every address and begins to accept; logs "listening on <url>" for each. Nothing is left
  // open when one fails.
  Result<void> start();

  // As bound: with the port where 0 was asked. After start().
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }

  // The end, in two steps, from a coroutine of any executor. First: accepts no more, closes idle
  // connections and lets requests in flight finish, for `limits.drain` at most.
  async::Task<> drain();

  // Then: cuts what is left and returns when no connection is. What handlers still wait for must
  // come to an end by itself.
  async::Task<> stop();

  // Reads certificate and key again and logs how that went. No effect without TLS.
  void reload_certificates();

 private:
  struct Listener;
  struct Worker;

  Result<void> bind(const std::string& address);
  async::Task<> accept_loop(Listener* listener);
  async::Task<> serve(std::size_t worker, UniqueFd socket, std::string peer,
                      ConnectionCounts::Place place);
  async::Task<> sweep_loop(std::size_t worker);
  void refuse_connection(UniqueFd socket, int status) const;
  void for_each_connection(void (Connection::*act)());  // each on its worker

  ServerOptions options_;
  async::Workers& workers_;
  std::vector<Handler> handlers_;
  telemetry::Log& log_;
  std::unique_ptr<TlsContext> tls_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Worker>> states_;
  std::atomic<std::size_t> open_{0};
  ConnectionCounts counts_{options_.limits.connections_per_client, options_.trusted_proxies};
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> is_drained_{false};
  async::TaskGroup connections_;
  async::TaskGroup loops_;
};

}  // namespace fairlead::http
