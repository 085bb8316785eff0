// SPDX-License-Identifier: Apache-2.0
// Gateway: answers the requests of one worker. The stages of a request, top to bottom:
//
//   parse      method and target -> oci::Operation           gateway.cc
//   route      host, ns, repository -> registry, repository  gateway.cc
//   identify   credentials -> caller                         admit.cc
//   authorize  before anything is looked up                  admit.cc
//   resolve    tag -> digest                                 pull.cc
//   redirect   or where the client may get it by itself      redirect.cc
//   fetch      digest -> content: hit, join or fill          pull.cc
//   respond    whole, range or 304                           respond.cc
//   pass on    what is pushed or deleted, and follow it      push.cc, upload.cc
//   record     one line, whatever happened                   gateway.cc
//
// Lists are asked for in listing.cc, the catalog is put together in catalog.cc.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "auth/authorizer.h"
#include "auth/upload_sessions.h"
#include "cache/changes.h"
#include "cache/fetcher.h"
#include "cache/kept_lists.h"
#include "cache/resolver.h"
#include "cache/services.h"
#include "gateway/admission.h"
#include "gateway/byte_budget.h"
#include "gateway/catalog_page.h"
#include "gateway/exchange.h"
#include "gateway/readiness.h"
#include "gateway/served_registries.h"
#include "gateway/token_service.h"
#include "http/connection.h"
#include "oci/tag_list.h"
#include "routing/router.h"
#include "telemetry/log.h"
#include "upstream/registry.h"

namespace fairlead::gateway {

// What the cache of one worker works with. What is referred to must outlive the gateway.
struct CacheAccess {
  cache::Services& services;
  cache::FreshnessPolicy freshness;       // where the route says nothing else
  cache::BucketSource* bucket = nullptr;  // of this worker; null: there is no cache.s3
};

class Gateway {
 public:
  // All must outlive the gateway. `registries` has every registry that `router` can name.
  Gateway(const routing::Router& router, Registries registries, Admission& admission,
          const CacheAccess& cache, const Readiness& readiness)
      : router_(router),
        registries_(std::move(registries)),
        admission_(admission),
        tokens_(router, admission),
        readiness_(readiness),
        cache_(cache.services),
        bucket_(cache.bucket),
        fetcher_(cache.services),
        resolver_(cache.services),
        lists_(cache.services),
        changes_(cache.services),
        freshness_(cache.freshness),
        log_(cache.services.log) {}

  // Answers one request. The http::Handler of this worker.
  async::Task<> handle(const http::Request& request, http::Responder& responder);

 private:
  async::Task<> dispatch(Exchange& exchange);
  async::Task<> serve_registry(Exchange& exchange);
  async::Task<> serve_operation(Exchange& exchange, const auth::Grant& grant);
  [[nodiscard]] std::expected<routing::Target, routing::Unrouted> route(
      const Exchange& exchange, std::string_view repository) const;
  void conceal(Exchange& exchange) const;
  void conceal_what_is_unknown(Exchange& exchange) const;

  // admit.cc
  async::Task<bool> identify(Exchange& exchange);
  async::Task<Result<auth::CallerPtr>> caller_of(const Exchange& exchange,
                                                 std::string_view authorization);
  std::optional<std::chrono::seconds> count(Exchange& exchange);
  async::Task<std::optional<auth::Grant>> authorize(Exchange& exchange);
  async::Task<> respond_not_granted(Exchange& exchange, auth::Refusal refusal);
  async::Task<> respond_unrouted(Exchange& exchange, const routing::Unrouted& unrouted);
  async::Task<> answer_ping(Exchange& exchange);
  [[nodiscard]] auth::Wish wish_of(const Exchange& exchange, const routing::Target& target,
                                   oci::Action action) const;
  // For what is not the exchange's own operation.
  [[nodiscard]] bool may(const Exchange& exchange, const routing::Target& target,
                         oci::Action action) const;
  void relay(Exchange& exchange);
  async::Task<Result<void>> confirm_right(Exchange& exchange);
  [[nodiscard]] bool has_right(const Exchange& exchange) const;

  // pull.cc
  async::Task<> pull_manifest(Exchange& exchange, const auth::Grant& grant);
  async::Task<> pull_manifest_by_tag(Exchange& exchange, cache::Source source);
  async::Task<> pull_blob(Exchange& exchange, const auth::Grant& grant);
  async::Task<> pull_by_digest(Exchange& exchange, cache::Source source);
  async::Task<Result<cache::Content>> fetch_resolved(cache::Source source,
                                                     cache::Resolved resolved);
  async::Task<Result<void>> check_age(cache::Source source, oci::Digest digest,
                                      std::chrono::milliseconds cooldown);
  async::Task<> respond_refusal(Exchange& exchange, Error error);
  [[nodiscard]] cache::FreshnessPolicy policy_of(const Exchange& exchange) const;
  [[nodiscard]] cache::Source content_source(const Exchange& exchange,
                                             cache::ContentKind kind) const;

  // push.cc
  async::Task<> push_manifest(Exchange& exchange, const auth::Grant& grant);
  async::Task<> delete_content(Exchange& exchange, const auth::Grant& grant);

  // upload.cc
  struct Mount {
    oci::Digest digest;
    std::string from;  // the registry's own name
  };
  async::Task<> start_upload(Exchange& exchange, const auth::Grant& grant);
  async::Task<> continue_upload(Exchange& exchange, const auth::Grant& grant);
  [[nodiscard]] std::optional<Mount> mount_of(const Exchange& exchange) const;
  void add_body(Exchange& exchange, const std::string& upload, upstream::Change& change);
  // `source` is of before the registry was asked.
  async::Task<> respond_upload_begun(Exchange& exchange, cache::Source source,
                                     Result<upstream::ChangeAnswer> answer,
                                     std::optional<oci::Digest> digest);
  async::Task<> respond_session(Exchange& exchange, const upstream::ChangeAnswer& answer,
                                auth::UploadSession session);
  void add_session(http::ResponseHead& head, const Exchange& exchange,
                   const upstream::ChangeAnswer& answer, auth::UploadSession session) const;
  async::Task<> respond_blob_pushed(Exchange& exchange, cache::Source source,
                                    const upstream::ChangeAnswer& answer, std::string upload,
                                    std::optional<oci::Digest> digest);

  // redirect.cc
  async::Task<bool> redirect(Exchange& exchange, const cache::Source& source,
                             const oci::Digest& digest, std::string media_type);
  async::Task<std::optional<upstream::Location>> locate(const Exchange& exchange,
                                                        const ServedRegistry& served,
                                                        const cache::Source& source,
                                                        const oci::Digest& digest,
                                                        std::string media_type);

  // listing.cc
  async::Task<> list_tags(Exchange& exchange, const auth::Grant& grant);
  async::Task<> list_kept_tags(Exchange& exchange, Error why);
  async::Task<> respond_known_tags(Exchange& exchange, const std::vector<std::string>& known);
  async::Task<> respond_tags(Exchange& exchange, const oci::TagPage& page, std::string next_page);
  async::Task<> list_referrers(Exchange& exchange, const auth::Grant& grant);
  async::Task<> list_kept_referrers(Exchange& exchange, Error why);
  async::Task<Result<upstream::Document>> ask_for_referrers(Exchange& exchange,
                                                            oci::Digest subject);
  struct ReferrersPage {
    bool is_whole = false;  // the whole list, unfiltered
    std::string filters_applied{};
    std::string next_page{};  // a query
  };
  async::Task<> respond_referrers(Exchange& exchange, std::string list, ReferrersPage page);

  // catalog.cc
  async::Task<> list_catalog(Exchange& exchange);
  [[nodiscard]] std::vector<CatalogWay> catalog_ways_of(const CatalogView& view) const;
  async::Task<ToldNames> ask_for_names(Exchange& exchange, const std::vector<CatalogWay>& ways);
  [[nodiscard]] bool has_catalog() const;

  const routing::Router& router_;
  Registries registries_;
  Admission& admission_;
  TokenService tokens_;
  const Readiness& readiness_;
  cache::Services& cache_;
  cache::BucketSource* bucket_;
  cache::Fetcher fetcher_;
  cache::Resolver resolver_;
  cache::KeptLists lists_;
  cache::Changes changes_;
  cache::FreshnessPolicy freshness_;
  telemetry::Log& log_;

  static constexpr std::size_t kMaxManifestBytes = 64u << 20;
  ByteBudget manifest_bytes_{kMaxManifestBytes};  // of all that are being pushed
};

}  // namespace fairlead::gateway
