// SPDX-License-Identifier: Apache-2.0
#include "auth/login_throttle.h"

#include <algorithm>
#include <cmath>

#include "base/ip_address.h"

namespace fairlead::auth {

double LoginThrottle::score_at(const Client& client, SteadyTime now) {
  const std::chrono::duration<double> passed = now - client.since;
  return std::max(0.0, client.score - passed / kForgiven);
}

SteadyTime::duration LoginThrottle::wait_of(double score) {
  if (score <= kFreeScore) return {};
  const std::chrono::duration<double> wait(std::exp2(std::ceil(score - kFreeScore) - 1));
  return std::min<SteadyTime::duration>(kMaxWait,
                                        std::chrono::duration_cast<SteadyTime::duration>(wait));
}

std::optional<std::chrono::seconds> LoginThrottle::admit(std::string_view address) {
  const SteadyTime now = clock_.steady();
  const std::string key = client_network(address);
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(key);
  if (found == clients_.end()) return std::nullopt;
  Client& client = found->second;
  const SteadyTime open_at = std::max(client.shut_until, client.tried_until);
  if (now < open_at) return std::chrono::ceil<std::chrono::seconds>(open_at - now);
  client.tried_until = now + wait_of(score_at(client, now));
  return std::nullopt;
}

bool LoginThrottle::is_shut(std::string_view address) const {
  const std::string key = client_network(address);
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(key);
  return found != clients_.end() && clock_.steady() < found->second.shut_until;
}

void LoginThrottle::failed(std::string_view address) {
  const SteadyTime now = clock_.steady();
  const std::string key = client_network(address);
  const std::lock_guard lock(mutex_);
  if (clients_.size() >= kMaxClients && !clients_.contains(key)) make_room(now);
  Client& client = clients_.try_emplace(key, Client{.since = now}).first->second;
  client.score = std::min(kMaxScore, score_at(client, now) + 1);
  client.since = now;
  client.shut_until = std::max(client.shut_until, now + wait_of(client.score));
}

void LoginThrottle::succeeded(std::string_view address) {
  const std::string key = client_network(address);
  const std::lock_guard lock(mutex_);
  if (const auto found = clients_.find(key); found != clients_.end()) {
    found->second.tried_until = {};
  }
}

std::size_t LoginThrottle::clients() const {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

// Whoever failed least goes first (the attack: many addresses with one failure each, to have one's
// own score forgotten).
void LoginThrottle::make_room(SteadyTime now) {
  std::erase_if(clients_, [&](const auto& item) { return score_at(item.second, now) <= 0; });
  if (clients_.size() < kMaxClients) return;
  clients_.erase(std::ranges::min_element(
      clients_, {}, [&](const auto& item) { return score_at(item.second, now); }));
}

}  // namespace fairlead::auth
