// SPDX-License-Identifier: Apache-2.0
// ClientLimits: how often one client may ask, and how fast its bytes go out, over all workers.
//
// Both are kept as a time: when the client's bucket is full again, and when what it has been sent
// is paid for. Requests: a bucket of `requests_per_second` tokens, ten at least, which is a burst.
// Bytes: all transfers of a client take turns; a piece goes out at once and the next one waits
// until it is paid for.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/caller.h"
#include "auth/keyed_hash.h"
#include "base/clock.h"
#include "http/options.h"

namespace fairlead::gateway {

// Thread-safe. Without a limit every call returns at once, without a lock.
class ClientLimits {
 public:
  static constexpr std::size_t kMaxClients = 64 * 1024;
  static constexpr std::size_t kMinBurst = 10;         // requests
  static constexpr std::chrono::seconds kMaxDebt{10};  // above: no further request

  explicit ClientLimits(const http::Limits& limits);

  // Takes one request's token. How long to wait (Retry-After) where there is none, or where the
  // client's transfers are so many that a new one would not move.
  [[nodiscard]] std::optional<std::chrono::seconds> admit(std::string_view key, SteadyTime now);

  // How long to wait before `bytes` are sent. They count as sent from now on.
  [[nodiscard]] SteadyTime::duration take_bytes(std::string_view key, std::uint64_t bytes,
                                                SteadyTime now);

  [[nodiscard]] bool is_enabled() const { return requests_per_second_ > 0 || bandwidth_ > 0; }
  [[nodiscard]] bool paces() const { return bandwidth_ > 0; }

  // What to send between two calls of take_bytes(): an eighth of a second's worth, 16 KiB to 1 MiB.
  [[nodiscard]] std::uint64_t piece() const;

  [[nodiscard]] std::size_t clients() const;

 private:
  static constexpr std::size_t kShards = 16;

  struct Client {
    SteadyTime full_at{};  // every token is there
    SteadyTime paid_at{};  // every byte is paid for

    [[nodiscard]] SteadyTime idle_at() const { return full_at > paid_at ? full_at : paid_at; }
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<auth::Fingerprint, Client, auth::FingerprintHash> clients;
  };

  Shard& shard_of(const auth::Fingerprint& key);
  static Client& client_of(Shard& shard, const auth::Fingerprint& key, SteadyTime now);
  static void make_room(Shard& shard, SteadyTime now);

  const std::size_t requests_per_second_;
  const std::size_t bandwidth_;
  const auth::KeyedHash keyed_hash_;  // nobody can choose their shard, or another's entry
  std::array<Shard, kShards> shards_;
};

// Whose limits a request counts for: the principal's, else the client address's (of IPv6 the
// network's).
std::string limit_key(const auth::Caller& caller, std::string_view address);

}  // namespace fairlead::gateway
