// SPDX-License-Identifier: Apache-2.0
#include "gateway/relayed_registries.h"

#include <utility>

#include "auth/basic.h"

namespace fairlead::gateway {

void RelayedRegistries::add(const upstream::RegistryOptions& options,
                            const upstream::RegistryServices& services) {
  registries_.try_emplace(options.name, Entry{.options = &options, .services = services});
}

async::Task<Result<upstream::RelayedAuthorization>> RelayedRegistries::log_in(
    std::string registry, upstream::Credentials credentials, std::string scope) {
  const Entry& entry = registries_.find(registry)->second;
  co_return co_await upstream::log_in(*entry.options, transport_, std::move(credentials),
                                      std::move(scope));
}

std::shared_ptr<upstream::Registry> RelayedRegistries::client(std::string_view registry,
                                                              const Secret& authorization) {
  // No header holds a line feed.
  const std::string key = std::string(registry) + "\n" + authorization.reveal();
  if (const auto known = clients_.find(key); known != clients_.end()) return known->second.registry;
  const Entry& entry = registries_.find(registry)->second;
  const SteadyTime now = entry.services.clock.steady();
  // Those in use live on with what uses them.
  std::erase_if(clients_, [&](const auto& one) { return now - one.second.since > kKept; });
  if (clients_.size() >= kMaxClients) clients_.clear();
  upstream::Login login{.authorization = authorization};
  if (auto pair = auth::parse_basic(authorization.reveal())) {
    login.credentials = {.username = std::move(pair->user), .password = std::move(pair->password)};
  }
  auto client = std::make_shared<upstream::RegistryClient>(*entry.options, transport_,
                                                           entry.services, std::move(login));
  clients_.emplace(key, Client{.registry = client, .since = now});
  return client;
}

}  // namespace fairlead::gateway
