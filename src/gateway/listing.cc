// SPDX-License-Identifier: Apache-2.0
// Lists that the upstream makes, under the names that the client knows.
#include <string>
#include <string_view>
#include <utility>

#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "oci/link_header.h"
#include "oci/manifest.h"
#include "oci/tag_list.h"

namespace fairlead::gateway {
namespace {

constexpr std::size_t kMaxList = 8u << 20;  // bytes of one page
constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

std::string with_query(std::string path, std::string_view query) {
  if (!query.empty()) path.append("?").append(query);
  return path;
}

// The upstream's next page under our name, and reached the way this one was.
void add_next_page(http::ResponseHead& head, const Exchange& exchange, std::string_view link,
                   std::string_view path) {
  const auto next = oci::next_link(link);
  if (!next) return;
  std::string query = oci::link_query(*next);
  if (query.empty()) return;
  if (!exchange.operation.name_space.empty()) {
    query += "&ns=" + oci::percent_encode(exchange.operation.name_space);
  }
  head.add("Link", "</v2/" + exchange.operation.repository + "/" + std::string(path) + "?" + query +
                       ">; rel=\"next\"");
}

}  // namespace

async::Task<> Gateway::list_tags(Exchange& exchange, const auth::Grant&) {
  const auto page = co_await exchange.registry->get_document(
      exchange.target.remote_repository, with_query("tags/list", exchange.operation.query),
      "application/json", kMaxList);
  if (!page) co_return co_await respond_error(exchange, page.error());
  const auto list = oci::rename_tag_list(page->body, exchange.operation.repository);
  if (!list) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " answered something that is not a list of tags");
  }
  auto head = make_head(exchange, 200);
  head.add("Content-Type", "application/json");
  if (!page->warning.empty()) head.add("Warning", page->warning);
  add_next_page(head, exchange, page->link, "tags/list");
  exchange.record.outcome = telemetry::Outcome::Stream;
  co_await exchange.responder.send(std::move(head), *list);
}

async::Task<> Gateway::list_referrers(Exchange& exchange, const auth::Grant&) {
  const oci::Digest& subject = *exchange.operation.reference.digest;
  const std::string path = "referrers/" + subject.str();
  auto page = co_await exchange.registry->get_document(exchange.target.remote_repository,
                                                       with_query(path, exchange.operation.query),
                                                       std::string(kIndexType), kMaxList);
  if (!page && page.error().code == Code::NotFound) {
    // A registry without the referrers API keeps them under a tag (OCI distribution-spec 1.1,
    // "Referrers Tag Schema"); there may be none.
    std::string tag(oci::to_string(subject.algorithm()));
    tag.append("-").append(subject.hex().substr(0, 64));
    page = co_await exchange.registry->get_document(
        exchange.target.remote_repository, "manifests/" + tag, std::string(kIndexType), kMaxList);
    if (!page && page.error().code == Code::NotFound) {
      page = upstream::Document{
          .body =
              R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})"};
    }
  }
  if (!page) co_return co_await respond_error(exchange, page.error());
  const auto index = oci::parse_manifest(page->body);
  if (!index || index->media_type != kIndexType) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " answered something that is not an index of referrers");
  }
  auto head = make_head(exchange, 200);
  head.add("Content-Type", kIndexType);
  if (!page->filters_applied.empty()) head.add("OCI-Filters-Applied", page->filters_applied);
  if (!page->warning.empty()) head.add("Warning", page->warning);
  add_next_page(head, exchange, page->link, path);
  exchange.record.outcome = telemetry::Outcome::Stream;
  co_await exchange.responder.send(std::move(head), page->body);
}

}  // namespace fairlead::gateway
