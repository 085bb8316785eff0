// SPDX-License-Identifier: Apache-2.0
#include "s3/credential_fetcher.h"

#include <algorithm>

#include "base/whole_file.h"
#include "oci/operation.h"
#include "s3/credential_document.h"
#include "upstream/answer.h"

namespace fairlead::s3 {
namespace {

using std::chrono::seconds;
using upstream::HttpRequest;

constexpr std::size_t kMaxToken = 32 * 1024;

bool is_printable(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

// What the service says of itself is not said of the client's credentials: a 401 here must not
// become one there.
std::unexpected<Error> fault(Error error, std::string_view where) {
  if (error.origin == Origin::Upstream && error.code != Code::Timeout &&
      error.code != Code::TooLarge && error.code != Code::Corrupt) {
    error.code = Code::Unavailable;
  }
  return std::unexpected(std::move(error).within(where));
}

// A file's token, without the line feed at its end.
async::Task<Result<std::string>> read_token(CredentialChannel channel, std::string path) {
  auto text = co_await channel.pool.run([&path] { return read_whole_file(path, kMaxToken); });
  if (!text) co_return std::unexpected(std::move(text.error()).within("token file " + path));
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (!is_printable(*text)) {
    co_return internal_error(Code::Corrupt, "token file " + path + " holds no token");
  }
  co_return text;
}

struct Answer {
  int status = 0;
  std::string body;
};

async::Task<Result<Answer>> ask(CredentialChannel channel, HttpRequest request) {
  auto response = co_await channel.transport.send(std::move(request));
  if (!response) co_return std::unexpected(std::move(response.error()));
  auto body = co_await upstream::read_whole(**response, kMaxCredentialDocument);
  if (!body) co_return std::unexpected(std::move(body.error()));
  co_return Answer{.status = (*response)->status(), .body = *std::move(body)};
}

// A service of this machine: near, and no business of a proxy's.
async::Task<Result<std::string>> ask_nearby(CredentialChannel channel, HttpRequest request) {
  request.timeouts = {.connect = seconds(2), .first_byte = seconds(5), .stall = seconds(5)};
  request.is_direct = true;
  auto answer = co_await ask(channel, std::move(request));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  if (answer->status != 200) co_return std::unexpected(upstream::status_error(answer->status));
  co_return std::move(answer->body);
}

}  // namespace

async::Task<Result<S3Credentials>> ContainerCredentials::fetch(CredentialChannel channel) {
  constexpr std::string_view where = "container credentials";
  HttpRequest request{.url = options_.url};
  request.headers.emplace_back("Accept", "application/json");
  std::string authorization = options_.authorization.reveal();
  if (!options_.token_file.empty()) {
    auto token = co_await read_token(channel, options_.token_file);
    if (!token) co_return fault(std::move(token.error()), where);
    authorization = *std::move(token);
  }
  if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
  auto document = co_await ask_nearby(channel, std::move(request));
  if (!document) co_return fault(std::move(document.error()), where);
  auto credentials = parse_metadata_credentials(*document);
  if (!credentials) co_return fault(std::move(credentials.error()), where);
  co_return credentials;
}

async::Task<Result<S3Credentials>> InstanceCredentials::fetch(CredentialChannel channel) {
  constexpr std::string_view where = "instance metadata";
  HttpRequest session{.method = "PUT", .url = endpoint_ + "/latest/api/token"};
  session.headers.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", "300");
  const auto token = co_await ask_nearby(channel, std::move(session));
  if (!token) co_return fault(token.error(), where);
  if (!is_printable(*token)) {
    co_return upstream_error(Code::Corrupt, Retry::Yes, "instance metadata answers no token");
  }

  const auto get = [&](std::string_view path) {
    HttpRequest request{.url = endpoint_ + "/latest/meta-data/iam/security-credentials/"};
    request.url += path;
    request.headers.emplace_back("X-aws-ec2-metadata-token", *token);
    return request;
  };
  const auto roles = co_await ask_nearby(channel, get(""));
  if (!roles) co_return fault(roles.error(), where);
  const std::string_view role = std::string_view(*roles).substr(0, roles->find_first_of("\r\n"));
  if (!is_printable(role) || role.size() > 128 || role.find_first_of("/?#%") != role.npos) {
    co_return upstream_error(Code::Unavailable, Retry::Yes,
                             "instance metadata names no role of this instance");
  }
  const auto document = co_await ask_nearby(channel, get(role));
  if (!document) co_return fault(document.error(), where);
  auto credentials = parse_metadata_credentials(*document);
  if (!credentials) co_return fault(std::move(credentials.error()), where);
  co_return credentials;
}

async::Task<Result<S3Credentials>> WebIdentityCredentials::fetch(CredentialChannel channel) {
  constexpr std::string_view where = "STS";
  const auto token = co_await read_token(channel, options_.token_file);
  if (!token) co_return fault(token.error(), where);
  HttpRequest request{.method = "POST", .url = options_.endpoint + "/"};
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.headers.emplace_back("Accept", "text/xml");
  request.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" +
                 oci::percent_encode(options_.role_arn) +
                 "&RoleSessionName=" + oci::percent_encode(options_.session_name) +
                 "&WebIdentityToken=" + oci::percent_encode(*token);
  request.timeouts = {.connect = seconds(5), .first_byte = seconds(10), .stall = seconds(10)};
  request.ca_file = options_.ca_file;
  auto answer = co_await ask(channel, std::move(request));
  if (!answer) co_return fault(std::move(answer.error()), where);
  if (answer->status != 200) {
    Error error = upstream::status_error(answer->status);
    const std::string code = parse_sts_error_code(answer->body);
    if (!code.empty()) error.context += " (" + code + ")";
    co_return fault(std::move(error), where);
  }
  auto credentials = parse_sts_credentials(answer->body);
  if (!credentials) co_return fault(std::move(credentials.error()), where);
  co_return credentials;
}

}  // namespace fairlead::s3
