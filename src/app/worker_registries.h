// SPDX-License-Identifier: Apache-2.0
// WorkerRegistries: the registries as one worker serves them: a client for each that has a URL, and
// in front of it the bucket of each that has one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/buckets.h"
#include "async/blocking_pool.h"
#include "config/config.h"
#include "gateway/relayed_registries.h"
#include "gateway/served_registries.h"
#include "s3/bucket_registry.h"
#include "s3/object_client.h"
#include "upstream/credentials.h"
#include "upstream/endpoint_board.h"
#include "upstream/http_transport.h"
#include "upstream/registry_client.h"
#include "upstream/token_source.h"

namespace fairlead::app {

// What those of all workers share. Must outlive them.
struct RegistriesShared {
  upstream::EndpointBoard& board;
  upstream::TokenSource& tokens;
  upstream::QuotaBoard& quotas;
  // Of each registry, in the order of the configuration.
  const std::vector<std::unique_ptr<upstream::CredentialSource>>& credentials;
  Buckets& buckets;
  async::BlockingPool& pool;
  const Clock& clock;
  telemetry::Log& log;
};

class WorkerRegistries {
 public:
  // `transport` and `relayed` are the worker's; those that relay are added to `relayed`. `config`
  // must outlive it.
  WorkerRegistries(const config::Config& config, upstream::HttpTransport& transport,
                   gateway::RelayedRegistries& relayed, const RegistriesShared& shared);

  [[nodiscard]] const gateway::Registries& all() const { return all_; }

  // Those of a registry's bucket; null: it has none.
  [[nodiscard]] s3::ObjectReader* objects_of(const std::string& registry) const {
    const auto found = objects_.find(registry);
    return found == objects_.end() ? nullptr : found->second.get();
  }

 private:
  upstream::Registry* add_client(const upstream::RegistryOptions& options,
                                 upstream::HttpTransport& transport,
                                 const upstream::RegistryServices& services);
  upstream::Registry* add_bucket(const std::string& registry, const config::RegistryBucket& options,
                                 upstream::Registry* behind, upstream::HttpTransport& transport,
                                 const RegistriesShared& shared);

  std::vector<std::unique_ptr<upstream::RegistryClient>> clients_;
  std::map<std::string, std::unique_ptr<s3::ObjectClient>> objects_;  // by the registries' names
  std::vector<std::unique_ptr<s3::BucketRegistry>> buckets_;
  gateway::Registries all_;
};

}  // namespace fairlead::app
