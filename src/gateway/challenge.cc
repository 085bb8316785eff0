// SPDX-License-Identifier: Apache-2.0
#include "gateway/challenge.h"

#include <utility>

#include "auth/scope.h"
#include "gateway/respond.h"
#include "gateway/service_name.h"
#include "oci/error_document.h"

namespace fairlead::gateway {
namespace {

std::string realm_of(const Exchange& exchange) {
  if (!exchange.public_url.empty()) return std::string(exchange.public_url) + "/token";
  const std::string scheme = exchange.is_secure ? "https://" : "http://";
  return scheme + exchange.authority + "/token";
}

auth::Actions needed(oci::Action action) {
  // Who pushes looks first what is there already.
  if (action == oci::Action::Push) return {oci::Action::Pull, oci::Action::Push};
  return {action};
}

}  // namespace

std::string write_challenge(const Exchange& exchange, TokenError error) {
  const auto& operation = exchange.operation;
  // A namespace is the client's own text: it must not end the quotes that it stands in.
  const bool is_sound = is_authority(operation.name_space);
  const std::string service = write_service(
      {.authority = exchange.authority, .name_space = is_sound ? operation.name_space : ""});
  std::string text = "Bearer realm=\"" + realm_of(exchange) + "\",service=\"" + service + "\"";
  if (!operation.repository.empty()) {
    text += ",scope=\"" + auth::write_scope(operation.repository, needed(operation.action)) + "\"";
  }
  if (operation.kind == oci::Kind::Catalog) {
    text += ",scope=\"" + std::string(auth::kCatalogScope) + "\"";
  }
  if (error == TokenError::InvalidToken) text += ",error=\"invalid_token\"";
  if (error == TokenError::InsufficientScope) text += ",error=\"insufficient_scope\"";
  return text;
}

async::Task<> respond_unauthorized(Exchange& exchange, TokenError error, std::string message) {
  // To be asked who one is, is how every login begins.
  if (error != TokenError::None) exchange.record.error = message;
  auto head = make_head(exchange, 401);
  head.add("Content-Type", "application/json");
  head.add("WWW-Authenticate", write_challenge(exchange, error));
  const std::string body =
      oci::write_error_document(oci::ErrorCode::Unauthorized, message, exchange.record.id);
  co_await exchange.responder.send(std::move(head), body);
}

}  // namespace fairlead::gateway
