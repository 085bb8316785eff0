// SPDX-License-Identifier: Apache-2.0
// fetcher_from_environment: the variables that AWS's own programs know.
#include <algorithm>

#include "base/ip_address.h"
#include "s3/credential_fetcher.h"
#include "upstream/ascii.h"
#include "upstream/url.h"

namespace fairlead::s3 {
namespace {

using Made = Result<std::unique_ptr<CredentialFetcher>>;

// Empty counts as absent.
std::string variable(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

std::unexpected<Error> wrong(std::string what) {
  return internal_error(Code::InvalidArgument, std::move(what));
}

// An endpoint in a variable; `name` is for the error.
Result<std::string> endpoint(std::string text, std::string_view name) {
  while (text.ends_with('/')) text.pop_back();
  if (!upstream::origin_of(text)) return wrong(std::string(name) + " is no http or https URL");
  return text;
}

Made static_keys(const Environment& environment) {
  S3Credentials credentials{
      .access_key = variable(environment, "AWS_ACCESS_KEY_ID"),
      .secret_key = Secret(variable(environment, "AWS_SECRET_ACCESS_KEY")),
      .session_token = Secret(variable(environment, "AWS_SESSION_TOKEN")),
  };
  if (auto sound = check_credentials(credentials); !sound) {
    return std::unexpected(std::move(sound.error()).within("AWS_ACCESS_KEY_ID"));
  }
  return std::make_unique<StaticCredentials>(std::move(credentials));
}

Made web_identity(const Environment& environment, std::string_view region) {
  WebIdentityCredentials::Options options{
      .endpoint = variable(environment, "AWS_ENDPOINT_URL_STS"),
      .token_file = variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE"),
      .role_arn = variable(environment, "AWS_ROLE_ARN"),
  };
  if (options.role_arn.empty()) return wrong("AWS_WEB_IDENTITY_TOKEN_FILE without AWS_ROLE_ARN");
  if (auto name = variable(environment, "AWS_ROLE_SESSION_NAME"); !name.empty()) {
    options.session_name = std::move(name);
  }
  if (options.endpoint.empty()) {
    options.endpoint = region.empty() ? "https://sts.amazonaws.com"
                                      : "https://sts." + std::string(region) + ".amazonaws.com";
    if (region.starts_with("cn-")) options.endpoint += ".cn";
  }
  auto sound = endpoint(std::move(options.endpoint), "AWS_ENDPOINT_URL_STS");
  if (!sound) return std::unexpected(std::move(sound.error()));
  options.endpoint = *std::move(sound);
  return std::make_unique<WebIdentityCredentials>(std::move(options));
}

Made container(const Environment& environment) {
  ContainerCredentials::Options options{
      .url = variable(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
      .authorization = Secret(variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN")),
      .token_file = variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
  };
  if (const auto path = variable(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
      !path.empty()) {
    // A '/' first: "@evil.example/" would make another host of it.
    if (!path.starts_with('/')) {
      return wrong("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
    }
    options.url = "http://169.254.170.2" + path;
  }
  if (!is_container_url(options.url)) {
    return wrong("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an agent of this host");
  }
  return std::make_unique<ContainerCredentials>(std::move(options));
}

Made instance(const Environment& environment) {
  auto url = variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (url.empty()) url = "http://169.254.169.254";
  auto sound = endpoint(std::move(url), "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (!sound) return std::unexpected(std::move(sound.error()));
  return std::make_unique<InstanceCredentials>(*std::move(sound));
}

}  // namespace

bool is_container_url(std::string_view url) {
  const auto origin = upstream::origin_of(url);
  if (!origin) return false;
  if (origin->is_https()) return true;
  const std::string_view host = origin->host;
  if (host == "localhost" || host == "169.254.170.2" || host == "169.254.170.23" ||
      host == "fd00:ec2::23" || host == "::1") {
    return true;
  }
  // As written out: "127.1" is nothing that an agent's URL has.
  return host.starts_with("127.") && IpAddress::parse(host).has_value();
}

Made fetcher_from_environment(const Environment& environment, std::string_view region) {
  const auto has = [&](std::string_view name) { return !variable(environment, name).empty(); };
  if (has("AWS_ACCESS_KEY_ID") || has("AWS_SECRET_ACCESS_KEY")) return static_keys(environment);
  if (has("AWS_WEB_IDENTITY_TOKEN_FILE")) return web_identity(environment, region);
  if (has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || has("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
    return container(environment);
  }
  if (upstream::equal_ignoring_case(variable(environment, "AWS_EC2_METADATA_DISABLED"), "true")) {
    return internal_error(Code::NotFound, "the environment has no S3 credentials");
  }
  return instance(environment);
}

}  // namespace fairlead::s3
