// SPDX-License-Identifier: Apache-2.0
// Pulling: manifests by tag and digest, blobs.
#include <string>
#include <utility>

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

async::Task<> Gateway::pull_by_digest(Exchange& exchange, cache::Source source) {
  const oci::Digest& digest = *exchange.operation.reference.digest;
  if (exchange.operation.is_head) {
    const auto head = co_await fetcher_.describe(std::move(source), digest);
    if (!head) co_return co_await respond_error(exchange, head.error());
    co_return co_await respond_description(exchange, *head);
  }
  const auto content = co_await fetcher_.fetch(std::move(source), digest);
  if (!content) co_return co_await respond_error(exchange, content.error());
  co_await respond_content(exchange, *content);
}

async::Task<> Gateway::pull_manifest_by_tag(Exchange& exchange, cache::Source source) {
  // Resolve: a HEAD tells the digest, and is what registries count least.
  const std::string& tag = exchange.operation.reference.text;
  const auto resolved = co_await fetcher_.resolve(source, tag);
  if (!resolved) co_return co_await respond_error(exchange, resolved.error());

  if (!resolved->digest || (exchange.operation.is_head && !resolved->size)) {
    // The upstream does not tell by HEAD what clients must know: only the bytes do.
    const auto content = co_await fetcher_.fetch_tag(std::move(source), tag);
    if (!content) co_return co_await respond_error(exchange, content.error());
    if (!exchange.operation.is_head) co_return co_await respond_content(exchange, *content);
    upstream::ContentHead head;
    head.digest = content->digest();
    head.size = content->size();
    head.media_type = content->media_type();
    co_return co_await respond_description(exchange, head);
  }
  if (exchange.operation.is_head) co_return co_await respond_description(exchange, *resolved);

  // Fetch by what it resolved to.
  const auto content = co_await fetcher_.fetch(std::move(source), *resolved->digest);
  if (!content) co_return co_await respond_error(exchange, content.error());
  co_await respond_content(exchange, *content);
}

}  // namespace fairlead::gateway
