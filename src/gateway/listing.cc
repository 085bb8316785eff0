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

std::string with_query(std::string path, std::string_view query) {
  if (!query.empty()) path.append("?").append(query);
  return path;
}

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

// The value of `artifactType`; empty: all are asked for.
std::string wanted_artifact_type(std::string_view query) {
  for (oci::QueryReader reader(query); reader.next();) {
    if (reader.has_name("artifactType")) return reader.value().value_or("");
  }
  return {};
}

bool is_index_of_referrers(std::string_view body) {
  const auto index = oci::parse_manifest(body);
  return index && index->media_type == oci::kOciIndex;
}

}  // namespace

// --- tags ---

async::Task<> Gateway::list_tags(Exchange& exchange, const auth::Grant&) {
  const auto answer = co_await exchange.registry->get_document(
      exchange.target.remote_repository, with_query("tags/list", exchange.operation.query),
      "application/json", kMaxList);
  if (!answer) co_return co_await list_kept_tags(exchange, answer.error());
  auto tags = oci::parse_tag_list(answer->body);
  if (!tags) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " answered something that is not a list of tags");
  }
  const std::string next = next_query(answer->link);
  const oci::TagPage page{.tags = *std::move(tags), .has_more = !next.empty()};
  co_await lists_.keep_tags(source_of(exchange), oci::TagQuery::parse(exchange.operation.query),
                            page);
  exchange.warning = answer->warning;
  co_await respond_tags(exchange, page, next);
}

async::Task<> Gateway::list_kept_tags(Exchange& exchange, Error why) {
  const auto query = oci::TagQuery::parse(exchange.operation.query);
  const bool may_be_kept = cache::is_no_answer(why) && query.is_understood && has_right(exchange);
  auto known =
      may_be_kept ? co_await lists_.tags(source_of(exchange), policy_of(exchange)) : std::nullopt;
  if (!known) co_return co_await respond_error(exchange, why);
  note_stale(exchange);
  const auto page = oci::page_of(*known, query);
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
      repository, with_query("referrers/" + subject.str(), exchange.operation.query), accept,
      kMaxList);
  if (page || page.error().code != Code::NotFound) co_return page;
  // A registry without the referrers API keeps them under a tag (OCI distribution-spec 1.1,
  // "Referrers Tag Schema"); there may be none.
  std::string tag(oci::to_string(subject.algorithm()));
  tag.append("-").append(subject.hex().substr(0, 64));
  page = co_await exchange.registry->get_document(repository, "manifests/" + tag, accept, kMaxList);
  if (page || page.error().code != Code::NotFound) co_return page;
  co_return upstream::Document{
      .body =
          R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})"};
}

async::Task<> Gateway::list_referrers(Exchange& exchange, const auth::Grant&) {
  const oci::Digest& subject = *exchange.operation.reference.digest;
  auto page = co_await ask_for_referrers(exchange, subject);
  if (!page) co_return co_await list_kept_referrers(exchange, page.error());
  if (!is_index_of_referrers(page->body)) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " answered something that is not an index of referrers");
  }
  const std::string next = next_query(page->link);
  const bool is_complete =
      next.empty() && page->filters_applied.empty() && exchange.operation.query.empty();
  co_await lists_.keep_referrers(source_of(exchange), subject, page->body, is_complete);
  exchange.warning = page->warning;
  auto head = make_head(exchange, 200);
  head.add("Content-Type", oci::kOciIndex);
  if (!page->filters_applied.empty()) head.add("OCI-Filters-Applied", page->filters_applied);
  add_next_page(head, exchange, next, "referrers/" + subject.str());
  exchange.record.outcome = telemetry::Outcome::Stream;
  co_await exchange.responder.send(std::move(head), page->body);
}

async::Task<> Gateway::list_kept_referrers(Exchange& exchange, Error why) {
  const oci::Digest& subject = *exchange.operation.reference.digest;
  const auto known =
      cache::is_no_answer(why) && has_right(exchange)
          ? co_await lists_.referrers(source_of(exchange), subject, policy_of(exchange))
          : std::nullopt;
  const std::string type = wanted_artifact_type(exchange.operation.query);
  const auto list = known ? oci::filter_referrers(*known, type) : std::nullopt;
  if (!list) co_return co_await respond_error(exchange, why);
  note_stale(exchange);
  auto head = make_head(exchange, 200);
  head.add("Content-Type", oci::kOciIndex);
  if (!type.empty()) head.add("OCI-Filters-Applied", "artifactType");
  exchange.record.outcome = telemetry::Outcome::Stream;
  co_await exchange.responder.send(std::move(head), *list);
}

}  // namespace fairlead::gateway
