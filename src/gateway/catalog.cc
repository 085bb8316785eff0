// SPDX-License-Identifier: Apache-2.0
// The catalog: the repositories of the registries that are configured to be in it, under the
// client's names, as far as the caller may pull them.
#include "oci/catalog.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/catalog_page.h"
#include "gateway/challenge.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "gateway/service_name.h"

namespace fairlead::gateway {
namespace {

constexpr std::size_t kMaxNames = 1000;  // of one page
constexpr std::chrono::seconds kMaxWait{10};

// Which registry is missing is not for everybody to know.
constexpr std::string_view kIncomplete =
    R"(299 - "the list is not complete: a registry does not tell its repositories")";

routing::RouteQuery place_of(const Exchange& exchange) {
  const std::string& name_space = exchange.operation.name_space;
  return {.host = without_port(exchange.authority),
          .authority = exchange.authority,
          .name_space = name_space == exchange.authority ? std::string_view() : name_space,
          .repository = {}};
}

std::string next_page(const Exchange& exchange, std::size_t n, std::string_view last) {
  std::string link = "</v2/_catalog?n=" + std::to_string(n) + "&last=" + oci::percent_encode(last);
  const std::string& name_space = exchange.operation.name_space;
  if (!name_space.empty()) link += "&ns=" + oci::percent_encode(name_space);
  return link + ">; rel=\"next\"";
}

// The names of several registries are as fresh as the oldest of them.
cache::Freshness older(cache::Freshness a, cache::Freshness b) {
  if (a == cache::Freshness::Stale || b == cache::Freshness::Stale) return cache::Freshness::Stale;
  return a == cache::Freshness::Fresh ? a : b;
}

}  // namespace

bool Gateway::has_catalog() const {
  return cache_.repositories != nullptr && std::ranges::any_of(registries_, [](const auto& entry) {
           return entry.second.in_catalog;
         });
}

// Those to registries that are in the catalog.
std::vector<CatalogWay> Gateway::catalog_ways_of(const CatalogView& view) const {
  auto ways = catalog_ways(view);
  std::erase_if(ways, [&](const CatalogWay& way) {
    return !registries_.find(way.reach.registry)->second.in_catalog;
  });
  return ways;
}

// What the registries tell to which the ways lead.
async::Task<ToldNames> Gateway::ask_for_names(Exchange& exchange,
                                              const std::vector<CatalogWay>& ways) {
  ToldNames told;
  std::optional<cache::Freshness> freshness;
  for (const CatalogWay& way : ways) {
    const std::string& registry = way.reach.registry;
    if (told.contains(registry)) continue;
    auto names = co_await cache_.repositories->names(registries_.find(registry)->second.registry,
                                                     registry, freshness_);
    told.emplace(registry, names ? names->names : nullptr);
    if (names) freshness = older(names->freshness, freshness.value_or(names->freshness));
    if (!names) exchange.warning = kIncomplete;
  }
  if (freshness == cache::Freshness::Stale && exchange.warning.empty()) note_stale(exchange);
  if (freshness) exchange.record.freshness = cache::to_string(*freshness);
  std::erase_if(told, [](const auto& entry) { return entry.second == nullptr; });
  co_return told;
}

async::Task<> Gateway::list_catalog(Exchange& exchange) {
  if (!has_catalog()) {
    co_return co_await respond_error(exchange, 404, oci::ErrorCode::Unsupported,
                                     "the catalog is not served");
  }
  const auto query = oci::TagQuery::parse(exchange.operation.query);
  if (!query.is_understood) {
    co_return co_await respond_error(exchange, 400, oci::ErrorCode::Unsupported,
                                     "the catalog can be asked for n names behind last");
  }

  // The attack: who may see nothing has us read and look through all there is, as often as they
  // like.
  const auth::Caller reader = auth::reader_of_catalog(*exchange.caller);
  const CatalogView view{.router = router_,
                         .policy = admission_.policy,
                         .caller = reader,
                         .place = place_of(exchange)};
  const auto ways = catalog_ways_of(view);
  const bool has_shown_something = !exchange.request.find("Authorization").empty();
  if (ways.empty() && admission_.wants_callers && !has_shown_something) {
    co_return co_await respond_unauthorized(exchange, TokenError::None, "authentication required");
  }

  const ToldNames told = co_await ask_for_names(exchange, ways);
  const std::size_t n = std::min(query.n.value_or(kMaxNames), kMaxNames);
  CatalogPage page;
  if (!told.empty()) {
    const auto place =
        co_await admission_.catalog_line.enter(std::chrono::steady_clock::now() + kMaxWait);
    if (!place) co_return co_await respond_error(exchange, place.error());
    auto work = [&] { return catalog_page(view, ways, told, query.last, n); };
    page = co_await cache_.pool.run(work);  // it may be long
  }
  auto head = make_head(exchange, 200);
  head.add("Content-Type", "application/json");
  if (page.has_more) head.add("Link", next_page(exchange, n, page.names.back()));
  co_await exchange.responder.send(std::move(head), oci::write_catalog(page.names));
}

}  // namespace fairlead::gateway
