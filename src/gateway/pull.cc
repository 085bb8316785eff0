// SPDX-License-Identifier: Apache-2.0
// Pulling: manifests by tag and digest, blobs.
#include <string>
#include <utility>

#include "cache/cooldown.h"
#include "cache/source.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "oci/manifest.h"

namespace fairlead::gateway {
namespace {

// What the client takes, or all there is where it says nothing definite: registries answer 404 to
// "*/*" alone for types that they think the client is too old for.
std::string wanted_types(const http::Request& request) {
  std::string accept = request.find_all("Accept");
  if (accept.empty() || accept == "*/*") return std::string(oci::kManifestAccept);
  return accept;
}

cache::Source source_of(const Exchange& exchange, cache::ContentKind kind) {
  cache::Source source{.registry = exchange.registry,
                       .registry_name = exchange.target.registry,
                       .repository = exchange.target.remote_repository,
                       .kind = kind};
  if (kind == cache::ContentKind::Manifest) source.accept = wanted_types(exchange.request);
  return source;
}

void note_freshness(Exchange& exchange, const cache::Resolved& resolved) {
  if (resolved.freshness == cache::Freshness::Stale) return note_stale(exchange);
  exchange.record.freshness = cache::to_string(resolved.freshness);
  if (resolved.freshness == cache::Freshness::Held) {
    exchange.warning = "299 - \"" + resolved.notice + "\"";
  }
}

}  // namespace

async::Task<> Gateway::pull_manifest(Exchange& exchange, const auth::Grant&) {
  auto source = source_of(exchange, cache::ContentKind::Manifest);
  if (exchange.operation.reference.is_digest()) {
    co_return co_await pull_by_digest(exchange, std::move(source));
  }
  co_await pull_manifest_by_tag(exchange, std::move(source));
}

async::Task<> Gateway::pull_blob(Exchange& exchange, const auth::Grant&) {
  co_await pull_by_digest(exchange, source_of(exchange, cache::ContentKind::Blob));
}

cache::FreshnessPolicy Gateway::policy_of(const Exchange& exchange) const {
  cache::FreshnessPolicy policy = freshness_;
  const routing::RoutePolicy& route = *exchange.target.policy;
  if (route.fresh_for) policy.fresh_for = *route.fresh_for;
  policy.cooldown = route.cooldown;
  return policy;
}

async::Task<> Gateway::pull_by_digest(Exchange& exchange, cache::Source source) {
  const oci::Digest& digest = *exchange.operation.reference.digest;
  const auto cooldown = exchange.target.policy->cooldown;
  const bool is_manifest = source.kind == cache::ContentKind::Manifest;
  if (is_manifest) {
    if (const auto checked =
            cache::check_cooldown(cache_.index, source, digest, cooldown, cache_.clock.wall());
        !checked) {
      co_return co_await respond_error(exchange, checked.error());
    }
  }
  if (exchange.operation.is_head) {
    const auto head = co_await fetcher_.describe(std::move(source), digest);
    if (!head) co_return co_await respond_error(exchange, head.error());
    co_return co_await respond_description(exchange, *head);
  }
  const auto content = co_await fetcher_.fetch(source, digest);
  if (!content) co_return co_await respond_error(exchange, content.error());
  if (is_manifest && cooldown.count() > 0) cache::learn_children(cache_.index, source, digest);
  co_await respond_content(exchange, *content);
}

async::Task<> Gateway::pull_manifest_by_tag(Exchange& exchange, cache::Source source) {
  // Resolve.
  const auto policy = policy_of(exchange);
  auto resolved = co_await resolver_.resolve(source, exchange.operation.reference.text, policy);
  if (!resolved) co_return co_await respond_error(exchange, resolved.error());
  note_freshness(exchange, *resolved);
  cache_.index.touch(resolved->digest, cache_.clock.wall());  // a HEAD is a use as well
  if (exchange.operation.is_head && resolved->size) {
    upstream::ContentHead head;
    head.digest = resolved->digest;
    head.size = resolved->size;
    head.media_type = resolved->media_type;
    co_return co_await respond_description(exchange, head);
  }

  // Fetch by what it resolved to.
  const auto content = co_await fetch_resolved(exchange, source, *resolved);
  if (!content) co_return co_await respond_error(exchange, content.error());
  if (policy.cooldown.count() > 0) {
    cache::learn_children(cache_.index, source, content->digest());
  }
  if (!exchange.operation.is_head) co_return co_await respond_content(exchange, *content);
  upstream::ContentHead head;
  head.digest = content->digest();
  head.size = content->size();
  head.media_type = content->media_type();
  co_await respond_description(exchange, head);
}

// What the tag means now; where that cannot be had, what it meant before.
async::Task<Result<cache::Content>> Gateway::fetch_resolved(Exchange& exchange,
                                                            cache::Source source,
                                                            cache::Resolved resolved) {
  if (resolved.text) {
    const auto known = cache_.index.content(resolved.digest);
    const auto outcome =
        known && known->is_stored ? telemetry::Outcome::Fill : telemetry::Outcome::Stream;
    co_return cache::Content(resolved.digest, std::move(resolved.media_type),
                             std::move(resolved.text), outcome);
  }
  auto content = co_await fetcher_.fetch(source, resolved.digest);
  const bool may_fall_back = !content && resolved.previous && cache::is_no_answer(content.error());
  if (!may_fall_back) co_return content;
  note_stale(exchange);
  co_return co_await fetcher_.fetch(std::move(source), *resolved.previous);
}

}  // namespace fairlead::gateway
