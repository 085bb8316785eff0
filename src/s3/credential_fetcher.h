// SPDX-License-Identifier: Apache-2.0
// CredentialFetcher: one place that S3 credentials come from. It remembers nothing;
// s3/credential_source.h keeps what it says.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "async/blocking_pool.h"
#include "async/task.h"
#include "base/error.h"
#include "s3/credentials.h"
#include "upstream/http_transport.h"

namespace fairlead::s3 {

// What fetching needs of the caller's worker.
struct CredentialChannel {
  upstream::HttpTransport& transport;
  async::BlockingPool& pool;
};

class CredentialFetcher {
 public:
  virtual ~CredentialFetcher() = default;

  // Errors: Unavailable (no answer, or a refusal), Timeout, Corrupt, TooLarge; Io or NotFound (a
  // token's file). Their context says who was asked, and never what was answered.
  virtual async::Task<Result<S3Credentials>> fetch(CredentialChannel channel) = 0;
};

// Credentials that are known: from the configuration, or AWS_ACCESS_KEY_ID and its companions.
class StaticCredentials final : public CredentialFetcher {
 public:
  explicit StaticCredentials(S3Credentials credentials) : credentials_(std::move(credentials)) {}
  async::Task<Result<S3Credentials>> fetch(CredentialChannel) override { co_return credentials_; }

 private:
  const S3Credentials credentials_;
};

// The agent of ECS or EKS: one GET.
class ContainerCredentials final : public CredentialFetcher {
 public:
  struct Options {
    std::string url;         // as is_container_url() allows
    Secret authorization{};  // of the Authorization header; may be empty
    std::string token_file;  // the same from a file, read each time; wins
  };
  explicit ContainerCredentials(Options options) : options_(std::move(options)) {}
  async::Task<Result<S3Credentials>> fetch(CredentialChannel channel) override;

 private:
  const Options options_;
};

// https, or http to the host itself or the agents' link-local addresses. The attack: a variable
// that sends the container's token in clear to somebody else.
bool is_container_url(std::string_view url);

// EC2, the metadata service's second version: a session token by PUT, the role's name, its
// credentials. The first version is not tried: it is what an SSRF can reach.
class InstanceCredentials final : public CredentialFetcher {
 public:
  explicit InstanceCredentials(std::string endpoint) : endpoint_(std::move(endpoint)) {}
  async::Task<Result<S3Credentials>> fetch(CredentialChannel channel) override;

 private:
  const std::string endpoint_;  // "http://169.254.169.254"
};

// A token in a file (Kubernetes renews it) exchanged at STS, by AssumeRoleWithWebIdentity.
class WebIdentityCredentials final : public CredentialFetcher {
 public:
  struct Options {
    std::string endpoint;  // "https://sts.eu-west-1.amazonaws.com"
    std::string token_file;
    std::string role_arn;
    std::string session_name = "fairlead";
    std::string ca_file{};  // PEM, instead of the system's
  };
  explicit WebIdentityCredentials(Options options) : options_(std::move(options)) {}
  async::Task<Result<S3Credentials>> fetch(CredentialChannel channel) override;

 private:
  const Options options_;
};

using Environment = std::map<std::string, std::string, std::less<>>;

// What the environment tells to use, in the order of AWS's own programs: keys, web identity,
// container, instance. `region` chooses the STS. InvalidArgument when a variable is not sound;
// NotFound when AWS_EC2_METADATA_DISABLED leaves none.
Result<std::unique_ptr<CredentialFetcher>> fetcher_from_environment(const Environment& environment,
                                                                    std::string_view region);

}  // namespace fairlead::s3
