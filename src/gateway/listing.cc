// SPDX-License-Identifier: Apache-2.0
// Lists that the upstream makes, under the names that the client knows; what it made last when it
// is away.
#include <string>
#include <string_view>
#include <utility>

#include "cache/resolver.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "oci/link_header.h"
#include "oci/manifest.h"
#include "oci/media_type.h"
#include "oci/query.h"
#include "oci/referrers.h"
#include "oci/tag_list.h"

namespace fairlead::gateway {
namespace {

constexpr std::size_t kMaxList = 8u << 20;  // bytes of one page

cache::Source source_of(const Exchange& exchange) {
  return {.registry = exchange.registry,
          .registry_name = exchange.target.registry,
          .repository = exchange.target.remote_repository,
          .caller = exchange.relayed_as,
          .registry_of_caller = exchange.registry_of_caller};
}

// A next page under our name, and reached the way this one was.
void add_next_page(http::ResponseHead& head, const Exchange& exchange, std::string query,
                   std::string_view path) {
  if (query.empty()) return;
  if (!exchange.operation.name_space.empty()) {
    query += "&ns=" + oci::percent_encode(exchange.operation.name_space);
  }
  head.add("Link", "</v2/" + exchange.operation.repository + "/" + std::string(path) + "?" + query +
                       ">; rel=\"next\"");
}

// The query of the upstream's next page; empty: there is none.
std::string next_query(std::string_view link) {
  const auto next = oci::next_link(link);
  return next ? oci::link_query(*next) : std::string();
}

void note_fresh(Exchange& exchange) {
  exchange.record.freshness = cache::to_string(cache::Freshness::Fresh);
}

bool is_index_of_referrers(std::string_view body) {
  const auto index = oci::parse_manifest(body);
  return index && index->media_type == oci::kOciIndex;
}

// Whether the upstream has no referrers API, as far as its answer tells: 404, or what registries
// answer that know no such path (405, 400); or the page that some serve at every path.
bool has_no_referrers(const Result<upstream::Document>& answer) {
  if (answer) return answer->media_type != oci::kOciIndex && !is_index_of_referrers(answer->body);
  const Code code = answer.error().code;
  return code == Code::NotFound || code == Code::Unsupported || code == Code::InvalidArgument;
}

upstream::Document no_referrers() {
  return {
      .body =
          R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})"};
}

}  // namespace

// --- tags ---

async::Task<> Gateway::list_tags(Exchange& exchange, const auth::Grant&) {
  const auto query = oci::TagQuery::parse(exchange.operation.query);
  const cache::Source source = source_of(exchange);
  if (query.is_understood && has_right(exchange)) {
    if (const auto known = co_await lists_.fresh_tags(source, policy_of(exchange))) {
      note_fresh(exchange);
      co_return co_await respond_known_tags(exchange, *known);
    }
  }
  const auto asked = lists_.asking_for_tags(source);
  const auto answer = co_await exchange.registry->get_document(
      exchange.target.remote_repository, oci::with_query("tags/list", exchange.operation.query),
      "application/json", kMaxList);
  if (!answer) co_return co_await list_kept_tags(exchange, answer.error());
  auto tags = oci::parse_tag_list(answer->body);
  if (!tags) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " answered something that is not a list of tags");
  }
  // A link that leads nowhere still says that this is not all.
  const oci::TagPage page{.tags = *std::move(tags), .has_more = !answer->link.empty()};
  co_await lists_.keep_tags(source, query, page, asked);
  exchange.warning = answer->warning;
  co_await respond_tags(exchange, page, next_query(answer->link));
}

async::Task<> Gateway::list_kept_tags(Exchange& exchange, Error why) {
  const auto query = oci::TagQuery::parse(exchange.operation.query);
  const bool may_be_kept = cache::is_no_answer(why) && query.is_understood && has_right(exchange);
  const auto known =
      may_be_kept ? co_await lists_.tags(source_of(exchange), policy_of(exchange)) : std::nullopt;
  if (!known) co_return co_await respond_error(exchange, why);
  note_stale(exchange);
  co_await respond_known_tags(exchange, *known);
}

// The page of them that was asked for.
async::Task<> Gateway::respond_known_tags(Exchange& exchange,
                                          const std::vector<std::string>& known) {
  const auto page = oci::page_of(known, oci::TagQuery::parse(exchange.operation.query));
  std::string next;
  if (page.has_more) {
    next =
        "n=" + std::to_string(page.tags.size()) + "&last=" + oci::percent_encode(page.tags.back());
  }
  co_await respond_tags(exchange, page, next);
}

async::Task<> Gateway::respond_tags(Exchange& exchange, const oci::TagPage& page,
                                    std::string next_page) {
  auto head = make_head(exchange, 200);
  head.add("Content-Type", "application/json");
  add_next_page(head, exchange, std::move(next_page), "tags/list");
  exchange.record.outcome = telemetry::Outcome::Stream;
  const std::string body = oci::write_tag_list(exchange.operation.repository, page.tags);
  co_await exchange.responder.send(std::move(head), body);
}

// --- referrers ---

async::Task<Result<upstream::Document>> Gateway::ask_for_referrers(Exchange& exchange,
                                                                   oci::Digest subject) {
  const std::string& repository = exchange.target.remote_repository;
  const std::string accept(oci::kOciIndex);
  auto page = co_await exchange.registry->get_document(
      repository, oci::with_query("referrers/" + subject.str(), exchange.operation.query), accept,
      kMaxList);
  if (!has_no_referrers(page)) co_return page;
  // A registry without the referrers API keeps them under a tag (OCI distribution-spec 1.1,
  // "Referrers Tag Schema"); there may be none, or something else that has such a tag.
  std::string tag(oci::to_string(subject.algorithm()));
  tag.append("-").append(subject.hex().substr(0, 64));
  page = co_await exchange.registry->get_document(repository, "manifests/" + tag, accept, kMaxList);
  if (has_no_referrers(page)) co_return no_referrers();
  if (page) page->link.clear();  // a manifest has no pages
  co_return page;
}

async::Task<> Gateway::list_referrers(Exchange& exchange, const auth::Grant&) {
  const oci::Digest& subject = *exchange.operation.reference.digest;
  const auto query = oci::ReferrersQuery::parse(exchange.operation.query);
  const cache::Source source = source_of(exchange);
  if (query.is_understood && has_right(exchange)) {
    if (const auto known = co_await lists_.fresh_referrers(source, subject, policy_of(exchange))) {
      note_fresh(exchange);
      co_return co_await respond_referrers(exchange, *known, {.is_whole = true});
    }
  }
  const auto asked = lists_.asking_for_referrers(source, subject);
  const auto page = co_await ask_for_referrers(exchange, subject);
  if (!page) co_return co_await list_kept_referrers(exchange, page.error());
  if (!is_index_of_referrers(page->body)) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " answered something that is not an index of referrers");
  }
  const bool is_whole = page->link.empty() && page->filters_applied.empty();
  // A registry may filter without saying so.
  const bool is_complete = is_whole && exchange.operation.query.empty();
  co_await lists_.keep_referrers(source, subject, page->body, is_complete, asked);
  exchange.warning = page->warning;
  co_await respond_referrers(exchange, page->body,
                             {.is_whole = is_whole,
                              .filters_applied = page->filters_applied,
                              .next_page = next_query(page->link)});
}

async::Task<> Gateway::list_kept_referrers(Exchange& exchange, Error why) {
  const oci::Digest& subject = *exchange.operation.reference.digest;
  const auto known =
      cache::is_no_answer(why) && has_right(exchange)
          ? co_await lists_.referrers(source_of(exchange), subject, policy_of(exchange))
          : std::nullopt;
  if (!known) co_return co_await respond_error(exchange, why);
  note_stale(exchange);
  co_await respond_referrers(exchange, *known, {.is_whole = true});
}

// What is whole is filtered here; a part is passed as it is, which is legal (OCI distribution-spec
// 1.1, "Listing Referrers").
async::Task<> Gateway::respond_referrers(Exchange& exchange, std::string list, ReferrersPage page) {
  const std::string type = oci::ReferrersQuery::parse(exchange.operation.query).artifact_type;
  if (page.is_whole && !type.empty()) {
    if (auto chosen = oci::filter_referrers(list, type)) {
      list = *std::move(chosen);
      page.filters_applied = "artifactType";
    }
  }
  auto head = make_head(exchange, 200);
  head.add("Content-Type", oci::kOciIndex);
  if (!page.filters_applied.empty()) head.add("OCI-Filters-Applied", page.filters_applied);
  add_next_page(head, exchange, std::move(page.next_page),
                "referrers/" + exchange.operation.reference.digest->str());
  exchange.record.outcome = telemetry::Outcome::Stream;
  co_await exchange.responder.send(std::move(head), list);
}

}  // namespace fairlead::gateway
