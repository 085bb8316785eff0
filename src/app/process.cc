// SPDX-License-Identifier: Apache-2.0
// All wiring is here: who is made of what, on which thread, and in which order it ends.
//
//   shared by all workers   log, store, index, table of fills, tokens, credentials, buckets,
//   router,
//                           who may
//   one a worker            curl, a client for each registry and bucket, fetcher, who is who,
//   gateway main thread             signals
#include "app/process.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/bucket_watch.h"
#include "app/buckets.h"
#include "app/opening.h"
#include "app/worker_registries.h"
#include "async/blocking_pool.h"
#include "async/task_group.h"
#include "async/workers.h"
#include "auth/authenticator.h"
#include "auth/http_key_fetcher.h"
#include "base/clock.h"
#include "cache/bookkeeper.h"
#include "cache/bucket_source.h"
#include "cache/fill_table.h"
#include "cache/fresh_lists.h"
#include "cache/housekeeper.h"
#include "cache/repository_names.h"
#include "cache/services.h"
#include "control/cache_control.h"
#include "gateway/admission.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "routing/router.h"
#include "s3/object_client.h"
#include "telemetry/log.h"
#include "upstream/credentials.h"
#include "upstream/http_transport.h"
#include "upstream/token_source.h"

namespace fairlead::app {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Every connection is a descriptor, and so is every upstream one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Transfer buffers come and go: give them back to the system instead of keeping the high mark.
void return_large_blocks() {
  // NOLINTBEGIN(concurrency-mt-unsafe): before there are threads
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
  // NOLINTEND(concurrency-mt-unsafe)
}

// Of the pool's threads, for what may take long and is not urgent.
constexpr std::size_t kCatalogPagesAtOnce = 2;
constexpr std::size_t kMaxCatalogWaiting = 32;

std::size_t blocking_threads() {
  return std::max<std::size_t>(4, 2 * std::size_t{std::thread::hardware_concurrency()});
}

// Whether anybody has something to show that changes what they may.
bool wants_callers(const config::Config& config) {
  const auto is_shut = [](auth::Actions actions) { return !actions.has(oci::Action::Pull); };
  const auto& policy = config.auth.policy;
  const bool has_shut_route = std::ranges::any_of(config.routes, [&](const auto& route) {
    return route.policy.anonymous && is_shut(*route.policy.anonymous);
  });
  const bool has_shut_rule =
      policy.rules && std::ranges::any_of(*policy.rules, [&](const auth::Rule& rule) {
        return rule.is_for(*auth::nobody()) && is_shut(rule.actions);
      });
  return is_shut(policy.anonymous) || has_shut_route || has_shut_rule ||
         config.auth.knows_callers() ||
         std::ranges::any_of(config.registries, &upstream::RegistryOptions::relays_credentials);
}

// What one worker's thread works with.
struct WorkerParts {
  WorkerParts(const async::Executor& executor, const auth::AuthServices& auth)
      : transport(executor), keys(transport), authenticator(auth, keys), relayed(transport) {}

  upstream::HttpTransport transport;
  std::unique_ptr<s3::ObjectClient> cache_objects;    // null: there is no cache.s3
  std::unique_ptr<cache::BucketSource> cache_bucket;  // the same
  auth::HttpKeyFetcher keys;
  auth::Authenticator authenticator;
  gateway::RelayedRegistries relayed;
  std::unique_ptr<WorkerRegistries> registries;
  std::unique_ptr<gateway::Admission> admission;
  std::unique_ptr<gateway::Gateway> gateway;
};

class Process {
 public:
  Process(const config::Config& config, telemetry::Log& log, Opened opened)
      : log_(log),
        store_(std::move(opened.store)),
        index_(std::move(opened.index)),
        sealed_(std::move(opened.sealed)),
        uploads_(std::move(opened.uploads)),
        issuers_(std::move(opened.issuers)),
        buckets_(std::move(opened.buckets)),
        readiness_(readiness_of(*buckets_)),
        policy_(config.auth.policy),
        trusted_proxies_(config.server.trusted_proxies),
        cors_(config.server.allowed_origins),
        limits_(config.server.limits),
        router_(config::make_router(config)),
        services_{.store = *store_,
                  .index = *index_,
                  .bookkeeper = bookkeeper_,
                  .fills = fills_,
                  .pool = pool_,
                  .checks = checks_,
                  .space = space_,
                  .tasks = fill_tasks_,
                  .clock = clock_,
                  .log = log_,
                  .lists = &fresh_lists_,
                  .repositories = &repository_names_},
        housekeeper_(services_, config.cache),
        board_(clock_),
        tokens_(clock_),
        workers_(config.server.workers),
        pool_(blocking_threads()) {
    if (!config.auth.users.empty()) {
      users_ = std::make_unique<auth::Users>(config.auth.users, clock_, pool_);
    }
    for (const auto& registry : config.registries) {
      credentials_.push_back(std::make_unique<upstream::CredentialSource>(registry, pool_, clock_));
    }
    if (buckets_->of_cache) {
      bucket_care_ = std::make_unique<BucketCare>(config, *buckets_->of_cache, *store_, *index_,
                                                  bookkeeper_, clock_, log_);
      services_.bucket = &bucket_care_->keeper();
    }
    if (config.cache.write_through) {
      kept_uploads_ = std::make_unique<cache::KeptUploads>(services_);
      services_.uploads = kept_uploads_.get();
    }
    std::vector<http::Handler> handlers;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      parts_.push_back(make_parts(config, i));
      handlers.emplace_back([gateway = parts_.back()->gateway.get()](const http::Request& request,
                                                                     http::Responder& responder) {
        return gateway->handle(request, responder);
      });
    }
    server_ = std::make_unique<http::Server>(config.server, workers_, std::move(handlers), log_);
    control_server_ = make_control_server(config.cache.directory);
  }

  // Returns the exit code.
  int run() {
    boost::asio::io_context main_context(1);
    boost::asio::signal_set signals(main_context, SIGTERM, SIGINT, SIGHUP);
    if (index_->was_rebuilt()) housekeeper_.reconcile_all();
    if (!load_users()) return 1;
    workers_.start();
    if (auto started = server_->start(); !started) {
      log_.error(started.error().context);
      workers_.stop();
      return 1;
    }
    if (auto started = control_server_->start(); !started) {
      log_.warn("the cache commands will not reach this process",
                {{"error", started.error().context}});
    }
    housekeeper_.start(workers_.executor(0));
    for (const auto& [registry, bucket] : buckets_->of_registries) {
      watch_.add(*bucket, *parts_.front()->registries->objects_of(registry));
    }
    watch_.start(workers_.executor(0), fill_tasks_);
    if (bucket_care_) bucket_care_->keeper().start(workers_.executor(0), fill_tasks_);
    boost::asio::co_spawn(main_context, supervise(signals), boost::asio::detached);
    main_context.run();
    workers_.stop();
    log_.info("stopped");
    return 0;
  }

 private:
  std::unique_ptr<WorkerParts> make_parts(const config::Config& config, std::size_t worker) {
    auto parts = std::make_unique<WorkerParts>(workers_.executor(worker),
                                               auth::AuthServices{.sealed = *sealed_,
                                                                  .issuers = *issuers_,
                                                                  .users = users_.get(),
                                                                  .throttle = throttle_,
                                                                  .clock = clock_});
    parts->registries =
        std::make_unique<WorkerRegistries>(config, parts->transport, parts->relayed,
                                           RegistriesShared{.board = board_,
                                                            .tokens = tokens_,
                                                            .quotas = quotas_,
                                                            .credentials = credentials_,
                                                            .buckets = *buckets_,
                                                            .pool = pool_,
                                                            .clock = clock_,
                                                            .log = log_});
    if (buckets_->of_cache) {
      parts->cache_objects =
          std::make_unique<s3::ObjectClient>(*buckets_->of_cache, parts->transport, pool_);
      parts->cache_bucket = std::make_unique<cache::BucketSource>(
          cache::BucketSourceOptions{
              .on_damage = [keeper = &bucket_care_->keeper()](
                               const oci::Digest& digest) { keeper->suspect(digest); },
              .root = config.cache_bucket->bucket.root,
              .expiry = config.cache_bucket->presign_expiry},
          *parts->cache_objects, bucket_care_->keeper().memory(), clock_);
    }
    parts->admission = std::make_unique<gateway::Admission>(gateway::Admission{
        .policy = policy_,
        .sealed = *sealed_,
        .uploads = *uploads_,
        .users = users_.get(),
        .throttle = throttle_,
        .rights = rights_,
        .clock = clock_,
        .trusted_proxies = trusted_proxies_,
        .cors = cors_,
        .limits = limits_,
        .catalog_line = catalog_line_,
        .authenticator = parts->authenticator,
        .relayed = parts->relayed,
        .wants_callers = wants_callers(config),
        .public_url = config.server.public_url,
        .token_ttl = std::chrono::floor<std::chrono::seconds>(config.auth.token_ttl)});
    parts->gateway = std::make_unique<gateway::Gateway>(
        router_, parts->registries->all(), *parts->admission,
        gateway::CacheAccess{.services = services_,
                             .freshness = config.cache.freshness,
                             .bucket = parts->cache_bucket.get()},
        readiness_);
    return parts;
  }

  // The configuration has been checked with what the file held then.
  bool load_users() {
    if (!users_) return true;
    const auto loaded = users_->reload();
    if (loaded) return true;
    log_.error(loaded.error().context);
    return false;
  }

  void reload() {
    server_->reload_certificates();
    if (!users_) return;
    if (const auto loaded = users_->reload(); !loaded) {
      log_.error("the users' file is not right; those of before go on",
                 {{"error", loaded.error().context}});
      return;
    }
    log_.info("users read again", {{"users", static_cast<std::int64_t>(users_->size())}});
  }

  std::unique_ptr<http::Server> make_control_server(const std::string& directory) {
    http::ServerOptions options;
    options.listen = {"unix:" + directory + "/" + std::string(control::kSocketName)};
    options.unix_mode = 0600;
    options.is_announced = false;
    const std::vector<http::Handler> handlers(
        workers_.size(), [this](const http::Request& request, http::Responder& responder) {
          return control_.handle(request, responder);
        });
    return std::make_unique<http::Server>(std::move(options), workers_, handlers, log_);
  }

  async::Task<> supervise(boost::asio::signal_set& signals) {
    for (;;) {
      const auto [ec, signal] = co_await signals.async_wait(async::kAsTuple);
      if (ec || signal != SIGHUP) break;
      reload();
    }
    // The next one ends the process at once.
    signals.clear();
    log_.info("stopping: requests in flight may finish");
    co_await server_->drain();
    co_await control_server_->drain();
    // What requests that are left still wait for ends here.
    fill_tasks_.close();
    housekeeper_.stop();
    watch_.stop();
    if (bucket_care_) bucket_care_->stop();
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      boost::asio::post(workers_.executor(i),
                        [parts = parts_[i].get()] { parts->transport.close(); });
    }
    co_await server_->stop();
    co_await control_server_->stop();
    co_await fill_tasks_.join(SteadyClock::time_point::max());
  }

  // In the order in which they depend on each other; they end in reverse.
  telemetry::Log& log_;
  SystemClock clock_;
  std::unique_ptr<store::DiskBlobStore> store_;
  std::unique_ptr<index::SqliteIndex> index_;
  std::unique_ptr<auth::SealedTokens> sealed_;
  std::unique_ptr<auth::UploadSessions> uploads_;
  std::unique_ptr<auth::JwtIssuers> issuers_;
  std::unique_ptr<Buckets> buckets_;
  gateway::Readiness readiness_;
  auth::Policy policy_;
  http::TrustedProxies trusted_proxies_;
  gateway::Cors cors_;
  gateway::ClientLimits limits_;
  auth::LoginThrottle throttle_{clock_};
  auth::WaitingLine catalog_line_{kCatalogPagesAtOnce, kMaxCatalogWaiting, "catalog pages"};
  gateway::RelayRights rights_{clock_};
  cache::Bookkeeper bookkeeper_{*index_, *store_, clock_,
                                buckets_->of_cache ? cache::Links::Stay : cache::Links::Go};
  cache::FillTable fills_;
  cache::TagChecks checks_;
  cache::SpaceSignal space_;
  cache::FreshLists fresh_lists_;
  cache::RepositoryNames repository_names_{clock_, log_};
  async::TaskGroup fill_tasks_;
  routing::Router router_;
  cache::Services services_;
  cache::Housekeeper housekeeper_;
  upstream::EndpointBoard board_;
  upstream::TokenSource tokens_;
  upstream::QuotaBoard quotas_;
  std::vector<std::unique_ptr<upstream::CredentialSource>> credentials_;
  async::Workers workers_;
  BucketWatch watch_{log_};
  std::unique_ptr<BucketCare> bucket_care_;  // null: there is no cache.s3
  async::BlockingPool pool_;            // its work ends on the workers' loops: it goes before them
  std::unique_ptr<auth::Users> users_;  // null: there are none
  std::unique_ptr<cache::KeptUploads> kept_uploads_;  // null: what is pushed is not kept
  std::vector<std::unique_ptr<WorkerParts>> parts_;
  control::CacheControl control_{services_};
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> control_server_;
};

}  // namespace

int serve(const config::Config& config) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  return_large_blocks();
  telemetry::Log log(config.log);
  for (const auto& warning : config.warnings) log.warn(warning);
  const SystemClock clock;
  auto opened = open_all(config, clock, log);
  if (!opened) return 1;
  return Process(config, log, *std::move(opened)).run();
}

}  // namespace fairlead::app
