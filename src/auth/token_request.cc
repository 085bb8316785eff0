// SPDX-License-Identifier: Apache-2.0
#include "auth/token_request.h"

#include <algorithm>

#include "oci/query.h"

namespace fairlead::auth {
namespace {

constexpr std::size_t kMaxService = 512;
constexpr std::size_t kMaxUsername = 256;

// application/x-www-form-urlencoded: a '+' is a space. In queries, too: Go's clients write them so.
std::optional<std::string> form_decode(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, '+', ' ');
  return oci::percent_decode(plain);
}

struct Parameter {
  std::string name;
  std::string value;
};

// nullopt: malformed.
std::optional<std::vector<Parameter>> read_parameters(std::string_view text) {
  std::vector<Parameter> parameters;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    const auto equals = std::min(one.find('='), one.size());
    auto name = form_decode(one.substr(0, equals));
    auto value = form_decode(one.substr(std::min(equals + 1, one.size())));
    if (!name || !value || parameters.size() > kMaxScopes + 20) return std::nullopt;
    parameters.push_back({*std::move(name), *std::move(value)});
  }
  return parameters;
}

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// What both forms have; the error, or nothing.
std::optional<std::string> read_shared(const Parameter& parameter, TokenRequest& request) {
  if (parameter.name == "scope" && !parse_scopes(parameter.value, request.scopes)) {
    return "scope has not the form type:name:actions, or there are too many";
  }
  if (parameter.name == "service") {
    if (parameter.value.size() > kMaxService || !is_plain(parameter.value)) {
      return "service is no name of this service";
    }
    request.service = parameter.value;
  }
  return std::nullopt;
}

}  // namespace

std::expected<TokenRequest, std::string> parse_token_query(std::string_view query) {
  const auto parameters = read_parameters(query);
  if (!parameters) return std::unexpected("the query is malformed");
  TokenRequest request;
  for (const Parameter& parameter : *parameters) {
    if (auto error = read_shared(parameter, request)) return std::unexpected(*std::move(error));
  }
  return request;
}

std::expected<TokenRequest, std::string> parse_token_form(std::string_view body) {
  const auto parameters = read_parameters(body);
  if (!parameters) return std::unexpected("the form is malformed");
  TokenRequest request;
  std::string grant_type;
  for (const Parameter& parameter : *parameters) {
    if (auto error = read_shared(parameter, request)) return std::unexpected(*std::move(error));
    if (parameter.name == "grant_type") grant_type = parameter.value;
    if (parameter.name == "username") request.username = parameter.value;
    if (parameter.name == "password") request.password = Secret(parameter.value);
    if (parameter.name == "refresh_token") request.refresh_token = Secret(parameter.value);
  }
  if (request.username &&
      (request.username->size() > kMaxUsername || !is_plain(*request.username))) {
    return std::unexpected("username is no user name");
  }
  if (grant_type == "password") {
    if (!request.username) return std::unexpected("grant_type password needs a username");
    request.refresh_token = Secret();
  } else if (grant_type == "refresh_token") {
    if (request.refresh_token.empty()) {
      return std::unexpected("grant_type refresh_token needs a refresh_token");
    }
    request.username.reset();
  } else {
    return std::unexpected("grant_type must be password or refresh_token");
  }
  return request;
}

}  // namespace fairlead::auth
