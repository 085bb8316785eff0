// SPDX-License-Identifier: Apache-2.0
// RelayedRegistries: the registries that are used with their callers' own credentials, and a
// client in the name of each caller seen lately. One a worker, on that worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "async/task.h"
#include "base/clock.h"
#include "base/secret.h"
#include "upstream/http_transport.h"
#include "upstream/options.h"
#include "upstream/registry_client.h"
#include "upstream/relay.h"

namespace fairlead::gateway {

class RelayedRegistries {
 public:
  static constexpr std::size_t kMaxClients = 256;
  static constexpr std::chrono::minutes kKept{10};  // a caller's client, and so their login

  explicit RelayedRegistries(upstream::HttpTransport& transport) : transport_(transport) {}

  // `options` and what `services` refers to must outlive it.
  void add(const upstream::RegistryOptions& options, const upstream::RegistryServices& services);

  [[nodiscard]] bool contains(std::string_view registry) const {
    return registries_.contains(registry);
  }
  [[nodiscard]] std::size_t size() const { return registries_.size(); }
  // The only one there is.
  [[nodiscard]] const std::string& only() const { return registries_.begin()->first; }

  // What `registry` (one of these) gives for the caller's credentials: upstream::log_in.
  async::Task<Result<upstream::RelayedAuthorization>> log_in(std::string registry,
                                                             upstream::Credentials credentials,
                                                             std::string scope);

  // A client of `registry` (one of these) that shows `authorization`.
  std::shared_ptr<upstream::Registry> client(std::string_view registry,
                                             const Secret& authorization);

 private:
  struct Entry {
    const upstream::RegistryOptions* options;
    upstream::RegistryServices services;
  };

  upstream::HttpTransport& transport_;
  std::map<std::string, Entry, std::less<>> registries_;
  struct Client {
    std::shared_ptr<upstream::Registry> registry;
    SteadyTime since;
  };
  std::unordered_map<std::string, Client> clients_;
};

}  // namespace fairlead::gateway
