// SPDX-License-Identifier: Apache-2.0
#include "gateway/client_limits.h"

#include <algorithm>
#include <vector>

#include "base/ip_address.h"

namespace fairlead::gateway {
namespace {

using Duration = SteadyTime::duration;
using Seconds = std::chrono::duration<double>;

constexpr std::uint64_t kMinPiece = 16UL * 1024;
constexpr std::uint64_t kMaxPiece = 1024UL * 1024;
constexpr Seconds kLongest = std::chrono::hours(1);  // no debt grows above it

Duration share(double amount, std::size_t per_second) {
  const Seconds seconds(amount / static_cast<double>(per_second));
  return std::chrono::duration_cast<Duration>(std::min(seconds, kLongest));
}

std::chrono::seconds retry_after(Duration wait) {
  return std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(wait));
}

}  // namespace

ClientLimits::ClientLimits(const http::Limits& limits)
    : requests_per_second_(limits.requests_per_second), bandwidth_(limits.bandwidth) {}

std::optional<std::chrono::seconds> ClientLimits::admit(std::string_view key, SteadyTime now) {
  if (!is_enabled()) return std::nullopt;
  const auth::Fingerprint fingerprint = keyed_hash_.of(key);
  Shard& shard = shard_of(fingerprint);
  const std::lock_guard lock(shard.mutex);
  Client& client = client_of(shard, fingerprint, now);
  const Duration debt = client.paid_at - now;
  if (debt > kMaxDebt) return retry_after(debt - kMaxDebt);
  if (requests_per_second_ == 0) return std::nullopt;

  const auto burst = static_cast<double>(std::max(requests_per_second_, kMinBurst));
  const Duration to_refill = share(burst, requests_per_second_);
  const SteadyTime after = std::max(client.full_at, now) + share(1, requests_per_second_);
  if (after - now > to_refill) return retry_after(after - now - to_refill);
  client.full_at = after;
  return std::nullopt;
}

Duration ClientLimits::take_bytes(std::string_view key, std::uint64_t bytes, SteadyTime now) {
  if (bandwidth_ == 0) return {};
  const auth::Fingerprint fingerprint = keyed_hash_.of(key);
  Shard& shard = shard_of(fingerprint);
  const std::lock_guard lock(shard.mutex);
  Client& client = client_of(shard, fingerprint, now);
  const SteadyTime begin = std::max(client.paid_at, now);
  const SteadyTime latest = now + std::chrono::duration_cast<Duration>(kLongest);
  client.paid_at = std::min(begin + share(static_cast<double>(bytes), bandwidth_), latest);
  return begin - now;
}

std::uint64_t ClientLimits::piece() const {
  return std::clamp<std::uint64_t>(bandwidth_ / 8, kMinPiece, kMaxPiece);
}

std::size_t ClientLimits::clients() const {
  std::size_t all = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    all += shard.clients.size();
  }
  return all;
}

// The map itself goes by the first bytes.
ClientLimits::Shard& ClientLimits::shard_of(const auth::Fingerprint& key) {
  return shards_[key.back() % kShards];
}

ClientLimits::Client& ClientLimits::client_of(Shard& shard, const auth::Fingerprint& key,
                                              SteadyTime now) {
  const auto found = shard.clients.find(key);
  if (found != shard.clients.end()) return found->second;
  if (shard.clients.size() >= kMaxClients / kShards) make_room(shard, now);
  return shard.clients[key];
}

// Who is idle loses nothing by it. When nobody is (the attack: more addresses than there is room
// for), the quarter that would be idle first goes: those who asked most stay known.
void ClientLimits::make_room(Shard& shard, SteadyTime now) {
  std::vector<SteadyTime> times;
  times.reserve(shard.clients.size());
  for (const auto& [key, client] : shard.clients) times.push_back(client.idle_at());
  const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::ranges::nth_element(times, quarter);
  const SteadyTime last = std::max(now, *quarter);
  std::erase_if(shard.clients, [&](const auto& item) { return item.second.idle_at() <= last; });
}

std::string limit_key(const auth::Caller& caller, std::string_view address) {
  using Kind = auth::Caller::Kind;
  // Of an issuer's token without a subject nothing is known that tells its bearer from another. The
  // attack: whom an upstream knows has chosen the name that they go by here, a new one each time,
  // or somebody else's.
  const bool has_own_name = caller.kind == Kind::User || caller.kind == Kind::Issued;
  if (has_own_name && !caller.name.empty()) {
    return (caller.kind == Kind::User ? "user\n" : "issued\n") + caller.name;
  }
  return "address\n" + client_network(address);
}

}  // namespace fairlead::gateway
