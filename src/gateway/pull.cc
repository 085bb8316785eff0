// SPDX-License-Identifier: Apache-2.0
// Pulling: manifests by tag and digest, blobs.
#include <string>
#include <utility>

#include "cache/cooldown.h"
#include "cache/source.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "oci/accept.h"

namespace fairlead::gateway {
namespace {

void note_freshness(Exchange& exchange, const cache::Resolved& resolved) {
  if (resolved.freshness == cache::Freshness::Stale) {
    exchange.record.error = resolved.notice;
    return note_stale(exchange);
  }
  exchange.record.freshness = cache::to_string(resolved.freshness);
  if (resolved.freshness == cache::Freshness::Held) {
    exchange.warning = "299 - \"" + resolved.notice + "\"";
  }
}

}  // namespace

cache::Source Gateway::content_source(const Exchange& exchange, cache::ContentKind kind) const {
  cache::Source source{.registry = exchange.registry,
                       .registry_name = exchange.target.registry,
                       .repository = exchange.target.remote_repository,
                       .kind = kind,
                       .caller = exchange.relayed_as,
                       .registry_of_caller = exchange.registry_of_caller,
                       .bucket = bucket_,
                       .asked = cache_.checks.recent().count()};
  if (kind == cache::ContentKind::Manifest)
    source.accept = oci::manifest_accept(exchange.request.find_all("Accept"));
  return source;
}

async::Task<> Gateway::pull_manifest(Exchange& exchange, const auth::Grant&) {
  auto source = content_source(exchange, cache::ContentKind::Manifest);
  if (exchange.operation.reference.is_digest()) {
    co_return co_await pull_by_digest(exchange, std::move(source));
  }
  co_await pull_manifest_by_tag(exchange, std::move(source));
}

async::Task<> Gateway::pull_blob(Exchange& exchange, const auth::Grant&) {
  co_await pull_by_digest(exchange, content_source(exchange, cache::ContentKind::Blob));
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
  const bool is_held_to_age = cooldown.count() > 0 && source.kind == cache::ContentKind::Manifest;
  if (is_held_to_age) {
    const auto checked = co_await check_age(source, digest, cooldown);
    if (!checked) co_return co_await respond_refusal(exchange, checked.error());
  }
  if (exchange.operation.is_head) {
    const bool may_push = may(exchange, exchange.target, oci::Action::Push);
    const auto head = may_push ? co_await fetcher_.describe_anew(std::move(source), digest)
                               : co_await fetcher_.describe(std::move(source), digest);
    if (!head) co_return co_await respond_error(exchange, head.error());
    co_return co_await respond_description(exchange, *head);
  }
  if (co_await redirect(exchange, source, digest, {})) co_return;
  const auto content = co_await fetcher_.fetch(source, digest);
  if (!content) co_return co_await respond_error(exchange, content.error());
  if (is_held_to_age) cache::learn_children(cache_.index, source, digest);
  co_await respond_content(exchange, *content);
}

// What was never seen begins to age once the upstream has confirmed that it is there.
async::Task<Result<void>> Gateway::check_age(cache::Source source, oci::Digest digest,
                                             std::chrono::milliseconds cooldown) {
  const WallTime now = cache_.clock.wall();
  if (!cache::is_seen(cache_.index, source, digest)) {
    if (auto head = co_await fetcher_.describe(source, digest); !head) {
      co_return std::unexpected(std::move(head.error()));
    }
    cache::note_seen(cache_.index, source, digest, now);
  }
  co_return cache::check_cooldown(cache_.index, source, digest, cooldown, now);
}

async::Task<> Gateway::respond_refusal(Exchange& exchange, Error error) {
  const bool is_cooldown = error.origin == Origin::Client && error.code == Code::Denied;
  if (is_cooldown) exchange.record.freshness = cache::to_string(cache::Freshness::Held);
  co_await respond_error(exchange, error);
}

async::Task<> Gateway::pull_manifest_by_tag(Exchange& exchange, cache::Source source) {
  // Resolve.
  auto policy = policy_of(exchange);
  // Who pushes skips what they are told to be there: the registry is to say so.
  if (exchange.operation.is_head && may(exchange, exchange.target, oci::Action::Push)) {
    policy.fresh_for = std::chrono::milliseconds(0);
  }
  auto resolved = co_await resolver_.resolve(source, exchange.operation.reference.text, policy);
  if (!resolved) co_return co_await respond_refusal(exchange, resolved.error());
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
  if (!exchange.operation.is_head &&
      co_await redirect(exchange, source, resolved->digest, resolved->media_type)) {
    co_return;
  }
  const auto content = co_await fetch_resolved(source, *resolved);
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

async::Task<Result<cache::Content>> Gateway::fetch_resolved(cache::Source source,
                                                            cache::Resolved resolved) {
  if (resolved.text) {
    const auto known = cache_.index.content(resolved.digest);
    const auto outcome =
        known && known->is_stored ? telemetry::Outcome::Fill : telemetry::Outcome::Stream;
    co_return cache::Content(resolved.digest, std::move(resolved.media_type),
                             std::move(resolved.text), outcome);
  }
  co_return co_await fetcher_.fetch(std::move(source), resolved.digest);
}

}  // namespace fairlead::gateway
