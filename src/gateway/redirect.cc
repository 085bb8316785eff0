// SPDX-License-Identifier: Apache-2.0
// Redirecting: a client is sent to where the bytes lie, where the route or the registry wants it
// so. It comes after authorization: whoever has the URL has the content.
//
//   the registry keeps its data in a bucket   a URL that is signed here
//   the cache is in a bucket, and has it      the same
//   else                                      where the registry itself redirects to, if it does
//
// What is in none of these places, or while they do not answer, goes the usual way.
#include <optional>
#include <string>
#include <utility>

#include "gateway/gateway.h"
#include "gateway/respond.h"

namespace fairlead::gateway {
namespace {

using routing::Way;

bool is_wanted(const Exchange& exchange, const ServedRegistry& served, cache::ContentKind kind) {
  const routing::RoutePolicy& route = *exchange.target.policy;
  const routing::Ways ways = route.deliver.value_or(served.delivery.ways);
  const Way way = kind == cache::ContentKind::Blob ? ways.blobs : ways.manifests;
  if (way != Way::Redirect) return false;
  // The attack: clients tell the bucket in a Referer where they come from, and there it is logged,
  // with the name that nobody is to know. Who wants that says so on the route.
  if (route.is_capability && !route.deliver) return false;
  // What is held to its age must have been seen: what a manifest names ages with it.
  if (kind == cache::ContentKind::Manifest && route.cooldown.count() > 0) return false;
  const auto& networks = route.stream_to ? *route.stream_to : served.delivery.stream_to;
  return !routing::is_among(networks, exchange.client);
}

}  // namespace

// True: it has been answered.
async::Task<bool> Gateway::redirect(Exchange& exchange, const cache::Source& source,
                                    const oci::Digest& digest, std::string media_type) {
  const ServedRegistry& served = registries_.find(exchange.target.registry)->second;
  if (!is_wanted(exchange, served, source.kind)) co_return false;

  const auto place = co_await locate(exchange, served, source, digest, std::move(media_type));
  if (!place) co_return false;
  co_await respond_redirect(exchange, digest, place->url);
  co_return true;
}

// nullopt also where somebody failed: who is asked for the bytes next tells why.
async::Task<std::optional<upstream::Location>> Gateway::locate(const Exchange& exchange,
                                                               const ServedRegistry& served,
                                                               const cache::Source& source,
                                                               const oci::Digest& digest,
                                                               std::string media_type) {
  const bool is_blob = source.kind == cache::ContentKind::Blob;
  if (served.has_bucket) {
    auto place = is_blob ? co_await served.registry->locate_blob(source.repository, digest)
                         : co_await served.registry->locate_manifest(source.repository, digest,
                                                                     std::move(media_type));
    if (place && *place) co_return *std::move(place);
  }
  if (source.bucket != nullptr) {
    auto place = co_await fetcher_.locate(source, digest);
    co_return place ? *std::move(place) : std::nullopt;
  }
  if (served.has_bucket || !is_blob) co_return std::nullopt;
  auto place = co_await exchange.registry->locate_blob(source.repository, digest);
  co_return place ? *std::move(place) : std::nullopt;
}

}  // namespace fairlead::gateway
