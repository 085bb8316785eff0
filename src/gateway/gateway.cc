// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "gateway/respond.h"
#include "gateway/service_name.h"
#include "oci/query.h"
#include "telemetry/request_id.h"

namespace fairlead::gateway {
namespace {

bool is_registry_path(std::string_view path) { return path == "/v2" || path.starts_with("/v2/"); }

telemetry::AccessRecord begin_record(const http::Request& request) {
  telemetry::AccessRecord record;
  record.id = telemetry::make_request_id();
  record.peer = request.peer;
  record.method = request.method;
  record.target = request.target;
  record.host = request.host;
  record.user_agent = request.find("User-Agent");
  return record;
}

}  // namespace

async::Task<> Gateway::handle(const http::Request& request, http::Responder& responder) {
  auto client = http::client_of(request, admission_.trusted_proxies);
  Exchange exchange{.request = request,
                    .responder = responder,
                    .started = std::chrono::steady_clock::now(),
                    .record = begin_record(request),
                    .client = std::move(client.address),
                    .authority = is_authority(client.host) ? std::move(client.host) : "localhost",
                    .is_secure = client.is_secure,
                    .public_url = admission_.public_url,
                    .cors = admission_.cors.is_enabled() ? &admission_.cors : nullptr,
                    .pace = admission_.limits.paces() ? &admission_.limits : nullptr};
  exchange.record.client = exchange.client;
  co_await dispatch(exchange);

  auto& record = exchange.record;
  record.status = responder.status();
  record.bytes = responder.body_bytes();
  record.received = responder.received_bytes();
  record.duration = std::chrono::steady_clock::now() - exchange.started;
  if (!responder.has_ended() && record.error.empty()) record.error = "the client is gone";
  telemetry::write(log_, record);
}

async::Task<> Gateway::dispatch(Exchange& exchange) {
  const std::string_view path = exchange.request.path();
  if (auto head = admission_.cors.preflight(exchange.request)) {
    conceal_what_is_unknown(exchange);  // what the request itself will be is not looked at
    std::ignore = co_await exchange.responder.send(*std::move(head), {});
    co_return;
  }
  if (is_registry_path(path)) co_return co_await serve_registry(exchange);
  if (path == "/token") {
    exchange.record.target = path;  // its query may name a capability
    co_return co_await tokens_.answer(exchange);
  }
  if (path == "/health" || path == "/ready") {
    if (exchange.request.method != "GET" && !exchange.request.is_head()) {
      co_return co_await respond_method_not_allowed(exchange, "GET, HEAD");
    }
    const std::string text = path == "/ready" ? readiness_.text() : "ok\n";
    co_return co_await respond_text(exchange, 200, "text/plain", text);
  }
  conceal_what_is_unknown(exchange);
  co_await respond_error(exchange, 404, oci::ErrorCode::Unsupported,
                         "nothing is served here; the registry is at /v2/");
}

async::Task<> Gateway::serve_registry(Exchange& exchange) {
  // Parse.
  auto parsed = oci::parse_operation(exchange.request.method, exchange.request.target);
  if (!parsed) {
    conceal_what_is_unknown(exchange);
    auto& wrong = parsed.error();
    if (wrong.status == 405) {
      co_return co_await respond_method_not_allowed(exchange, wrong.allowed);
    }
    co_return co_await respond_error(exchange, wrong.status, wrong.code, std::move(wrong.message));
  }
  exchange.operation = std::move(*parsed);
  const auto& operation = exchange.operation;

  // Route.
  auto target = route(exchange, operation.repository);
  if (target) {
    exchange.target = std::move(*target);
    exchange.record.registry = exchange.target.registry;
    exchange.record.upstream_repository = exchange.target.remote_repository;
  }
  conceal(exchange);

  // Identify, authorize.
  if (!co_await identify(exchange)) co_return;
  if (operation.kind == oci::Kind::Ping) co_return co_await answer_ping(exchange);
  if (operation.kind == oci::Kind::Catalog) {
    co_return co_await list_catalog(exchange);
  }
  if (!target) co_return co_await respond_unrouted(exchange, target.error());
  const auto grant = co_await authorize(exchange);
  if (!grant) co_return;

  // Resolve, fetch, respond.
  co_await serve_operation(exchange, *grant);
}

std::expected<routing::Target, routing::Unrouted> Gateway::route(
    const Exchange& exchange, std::string_view repository) const {
  const std::string_view name_space = exchange.operation.name_space;
  return router_.route({.host = without_port(exchange.authority),
                        .authority = exchange.authority,
                        .name_space = name_space == exchange.authority ? "" : name_space,
                        .repository = repository});
}

async::Task<> Gateway::serve_operation(Exchange& exchange, const auth::Grant& grant) {
  const oci::Action action = exchange.operation.action;
  switch (exchange.operation.kind) {
    case oci::Kind::Manifest:
      if (action == oci::Action::Push) co_return co_await push_manifest(exchange, grant);
      if (action == oci::Action::Delete) co_return co_await delete_content(exchange, grant);
      co_return co_await pull_manifest(exchange, grant);
    case oci::Kind::Blob:
      if (action == oci::Action::Delete) co_return co_await delete_content(exchange, grant);
      co_return co_await pull_blob(exchange, grant);
    case oci::Kind::UploadStart:
      co_return co_await start_upload(exchange, grant);
    case oci::Kind::Upload:
      co_return co_await continue_upload(exchange, grant);
    case oci::Kind::Tags:
      co_return co_await list_tags(exchange, grant);
    case oci::Kind::Referrers:
      co_return co_await list_referrers(exchange, grant);
    case oci::Kind::Ping:
    case oci::Kind::Catalog:
      break;  // answered before
  }
}

// What the log says of a request, without the name of a capability or an upload's session.
void Gateway::conceal(Exchange& exchange) const {
  const std::string& name = exchange.operation.repository;
  if (router_.holds_capability(without_port(exchange.authority), name)) {
    exchange.record.target = "/v2/[capability]";
    return;
  }
  exchange.record.repository = name;
  if (exchange.operation.kind != oci::Kind::Upload) return;
  // Whoever has a session may go on with the upload, if they pass for its caller.
  exchange.record.target = "/v2/" + name + "/blobs/uploads/[session]";
  const std::string& query = exchange.operation.query;
  if (!query.empty()) exchange.record.target += "?" + query;
}

// The same of one that is not understood, or not looked at: in it the name may be anywhere, with
// a slash too many in front, in capitals, or with an escape that is none behind it.
void Gateway::conceal_what_is_unknown(Exchange& exchange) const {
  if (!router_.may_hold_capability(exchange.request.target)) return;
  exchange.record.target = "/[not shown]";
}

}  // namespace fairlead::gateway
