// SPDX-License-Identifier: Apache-2.0
#include "app/worker_registries.h"

#include <utility>

namespace fairlead::app {

WorkerRegistries::WorkerRegistries(const config::Config& config, upstream::HttpTransport& transport,
                                   gateway::RelayedRegistries& relayed,
                                   const RegistriesShared& shared) {
  for (std::size_t i = 0; i < config.registries.size(); ++i) {
    const upstream::RegistryOptions& options = config.registries[i];
    const upstream::RegistryServices services{.board = shared.board,
                                              .tokens = shared.tokens,
                                              .credentials = *shared.credentials[i],
                                              .quotas = shared.quotas,
                                              .clock = shared.clock,
                                              .log = shared.log};
    if (options.relays_credentials) relayed.add(options, services);

    gateway::ServedRegistry served;
    if (!options.url.empty()) served.registry = add_client(options, transport, services);
    if (const auto bucket = config.buckets.find(options.name); bucket != config.buckets.end()) {
      served.registry =
          add_bucket(options.name, bucket->second, served.registry, transport, shared);
      served.has_bucket = true;
    }
    if (const auto delivery = config.deliveries.find(options.name);
        delivery != config.deliveries.end()) {
      served.delivery = delivery->second;
    }
    served.in_catalog = options.in_catalog && !options.relays_credentials;
    all_.emplace(options.name, std::move(served));
  }
}

upstream::Registry* WorkerRegistries::add_client(const upstream::RegistryOptions& options,
                                                 upstream::HttpTransport& transport,
                                                 const upstream::RegistryServices& services) {
  clients_.push_back(std::make_unique<upstream::RegistryClient>(options, transport, services));
  return clients_.back().get();
}

upstream::Registry* WorkerRegistries::add_bucket(const std::string& registry,
                                                 const config::RegistryBucket& options,
                                                 upstream::Registry* behind,
                                                 upstream::HttpTransport& transport,
                                                 const RegistriesShared& shared) {
  s3::ObjectClient& objects =
      *objects_
           .emplace(registry,
                    std::make_unique<s3::ObjectClient>(*shared.buckets.of_registries.at(registry),
                                                       transport, shared.pool))
           .first->second;
  buckets_.push_back(std::make_unique<s3::BucketRegistry>(
      s3::BucketRegistryOptions{.name = registry, .expiry = options.presign_expiry},
      s3::make_layout(options.layout, objects, options.bucket.root, shared.clock), objects, behind,
      shared.buckets.changed.at(registry), shared.clock));
  return buckets_.back().get();
}

}  // namespace fairlead::app
