// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "gateway/respond.h"
#include "telemetry/request_id.h"

namespace fairlead::gateway {
namespace {

bool is_registry_path(std::string_view path) { return path == "/v2" || path.starts_with("/v2/"); }

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.rfind(':'));
}

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
  Exchange exchange{.request = request,
                    .responder = responder,
                    .started = std::chrono::steady_clock::now(),
                    .record = begin_record(request)};
  co_await dispatch(exchange);

  auto& record = exchange.record;
  record.status = responder.status();
  record.bytes = responder.body_bytes();
  record.duration = std::chrono::steady_clock::now() - exchange.started;
  if (!responder.has_ended() && record.error.empty()) record.error = "the client is gone";
  telemetry::write(log_, record);
}

async::Task<> Gateway::dispatch(Exchange& exchange) {
  const std::string_view path = exchange.request.path();
  if (is_registry_path(path)) co_return co_await serve_registry(exchange);
  if (path == "/health" || path == "/ready") {
    if (exchange.request.method != "GET" && !exchange.request.is_head()) {
      co_return co_await respond_error(exchange, 405, oci::ErrorCode::Unsupported,
                                       "this is for GET and HEAD");
    }
    co_return co_await respond_text(exchange, 200, "text/plain", "ok\n");
  }
  co_await respond_error(exchange, 404, oci::ErrorCode::Unsupported,
                         "nothing is served here; the registry is at /v2/");
}

async::Task<> Gateway::serve_registry(Exchange& exchange) {
  // Parse.
  auto parsed = oci::parse_operation(exchange.request.method, exchange.request.target);
  if (!parsed) {
    auto& wrong = parsed.error();
    co_return co_await respond_error(exchange, wrong.status, wrong.code, std::move(wrong.message));
  }
  exchange.operation = std::move(*parsed);
  const auto& operation = exchange.operation;
  exchange.record.repository = operation.repository;
  if (operation.kind == oci::Kind::Ping) {
    co_return co_await respond_text(exchange, 200, "application/json", "{}");
  }
  if (operation.kind == oci::Kind::Catalog) {
    co_return co_await respond_error(exchange, 404, oci::ErrorCode::Unsupported,
                                     "the catalog is not served");
  }

  // Route.
  const std::string_view authority = exchange.request.host;
  auto target = router_.route({
      .host = without_port(authority),
      .authority = authority,
      .name_space = operation.name_space == authority ? "" : std::string_view(operation.name_space),
      .repository = operation.repository,
  });
  if (!target) {
    co_return co_await respond_error(exchange, 404, oci::ErrorCode::NameUnknown,
                                     "no route for this name");
  }
  exchange.target = std::move(*target);
  exchange.record.registry = exchange.target.registry;
  exchange.record.upstream_repository = exchange.target.remote_repository;
  exchange.registry = registries_.find(exchange.target.registry)->second;

  // Authorize.
  if (!exchange.target.policy->admits(exchange.target.remote_repository)) {
    co_return co_await respond_error(exchange, 403, oci::ErrorCode::Denied,
                                     "the route does not serve this repository");
  }
  const auto grant = auth::authorize(operation);
  if (!grant) co_return co_await respond_error(exchange, grant.error());

  // Resolve, fetch, respond.
  switch (operation.kind) {
    case oci::Kind::Manifest:
      co_return co_await pull_manifest(exchange, *grant);
    case oci::Kind::Blob:
      co_return co_await pull_blob(exchange, *grant);
    case oci::Kind::Tags:
      co_return co_await list_tags(exchange, *grant);
    case oci::Kind::Referrers:
      co_return co_await list_referrers(exchange, *grant);
    case oci::Kind::Ping:
    case oci::Kind::Catalog:
    case oci::Kind::UploadStart:
    case oci::Kind::Upload:
      break;
  }
  co_await respond_error(exchange, 405, oci::ErrorCode::Unsupported, "not a read operation");
}

}  // namespace fairlead::gateway
