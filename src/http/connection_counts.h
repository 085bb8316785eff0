// SPDX-License-Identifier: Apache-2.0
// ConnectionCounts: how many connections each client has open, over all workers.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "http/client_address.h"

namespace fairlead::http {

// Thread-safe. Must outlive its places. Asked once a connection; holds one entry for each client
// that has any.
class ConnectionCounts {
 public:
  // One connection's part in the count, until it goes.
  class Place {
   public:
    Place() = default;  // of a connection that is not counted
    Place(Place&& other) noexcept
        : counts_(std::exchange(other.counts_, nullptr)), client_(std::move(other.client_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (counts_ != nullptr) counts_->leave(client_);
    }

   private:
    friend class ConnectionCounts;
    Place(ConnectionCounts& counts, std::string client)
        : counts_(&counts), client_(std::move(client)) {}

    ConnectionCounts* counts_ = nullptr;
    std::string client_;
  };

  // `limit` 0: nothing is counted. `uncounted` must outlive it.
  ConnectionCounts(std::size_t limit, const TrustedProxies& uncounted)
      : limit_(limit), uncounted_(uncounted) {}

  // nullopt: the client has as many as it may. Trusted proxies stand for many clients and are not
  // counted, nor are peers without an address (unix sockets). A client is an address, of IPv6 a
  // network of 64 bits.
  std::optional<Place> enter(std::string_view peer);

  [[nodiscard]] std::size_t clients() const;

 private:
  void leave(const std::string& client);

  const std::size_t limit_;
  const TrustedProxies& uncounted_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> open_;
};

}  // namespace fairlead::http
