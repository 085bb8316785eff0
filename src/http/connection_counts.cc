// SPDX-License-Identifier: Apache-2.0
#include "http/connection_counts.h"

namespace fairlead::http {

std::optional<ConnectionCounts::Place> ConnectionCounts::enter(std::string_view peer) {
  if (limit_ == 0) return Place();
  const auto address = address_of_peer(peer);
  if (!address || uncounted_.contains(*address)) return Place();
  std::string client = client_network(address->str());
  const std::lock_guard lock(mutex_);
  std::size_t& open = open_[client];  // an entry that is new has room
  if (open >= limit_) return std::nullopt;
  ++open;
  return Place(*this, std::move(client));
}

std::size_t ConnectionCounts::clients() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void ConnectionCounts::leave(const std::string& client) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(client);
  if (--found->second == 0) open_.erase(found);
}

}  // namespace fairlead::http
