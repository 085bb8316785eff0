// SPDX-License-Identifier: Apache-2.0
// RegistryClient: a Registry spoken to over HTTP (OCI distribution-spec 1.1).
//
// Each call is three loops, one inside the other:
//   ask_any       the registry, then its mirrors, then, after a pause, again
//   ask_endpoint  log in as the challenges ask
//   ask_once      follow redirects, the Authorization staying behind
// Only the registry itself can say that something does not exist or may not be had: what a mirror
// refuses, it just does not have. Changes and the list of its repositories are asked of it alone
// (registry_change.cc).
// One worker's thread.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "telemetry/log.h"
#include "upstream/credentials.h"
#include "upstream/endpoint_board.h"
#include "upstream/endpoints.h"
#include "upstream/http_transport.h"
#include "upstream/login.h"
#include "upstream/options.h"
#include "upstream/quota.h"
#include "upstream/redirect.h"
#include "upstream/registry.h"
#include "upstream/retry_policy.h"
#include "upstream/token_source.h"

namespace fairlead::upstream {

// What a registry's clients on all workers share. All must outlive them.
struct RegistryServices {
  EndpointBoard& board;           // of all registries
  TokenSource& tokens;            // of all registries
  CredentialSource& credentials;  // of this registry
  QuotaBoard& quotas;             // of all registries
  const Clock& clock;
  telemetry::Log& log;
};

class RegistryClient final : public Registry {
 public:
  // `transport` is the worker's, and must outlive it. `options` have been validated.
  RegistryClient(RegistryOptions options, HttpTransport& transport,
                 const RegistryServices& services, RetryPolicy retry_policy = {});

  // In the name of a caller: shows what the registry gave for their credentials instead of our own.
  RegistryClient(RegistryOptions options, HttpTransport& transport,
                 const RegistryServices& services, Login login);

  async::Task<Result<ContentHead>> head_manifest(std::string repository, std::string reference,
                                                 std::string accept) override;
  async::Task<Result<Download>> get_manifest(std::string repository, std::string reference,
                                             std::string accept) override;
  async::Task<Result<ContentHead>> head_blob(std::string repository, oci::Digest digest) override;
  async::Task<Result<Download>> get_blob(std::string repository, oci::Digest digest,
                                         std::uint64_t offset,
                                         std::optional<std::uint64_t> length) override;
  async::Task<Result<Document>> get_document(std::string repository, std::string path_and_query,
                                             std::string accept, std::size_t limit) override;
  async::Task<Result<Document>> list_repositories(std::string query, std::size_t limit) override;
  async::Task<Result<ChangeAnswer>> change(Change change) override;
  // Where the registry itself redirects to.
  async::Task<Result<std::optional<Location>>> locate_blob(std::string repository,
                                                           oci::Digest digest) override;
  [[nodiscard]] std::optional<Quota> quota() const override;

 private:
  struct Question {
    std::string method = "GET";
    std::string repository;  // empty: it is about the registry
    std::string path;        // after /v2/<repository>/
    std::string accept;
    std::string range;
    bool is_bulk = false;
    bool is_about_place = false;  // a redirect away from the endpoint is the answer
  };
  struct Answer {
    std::unique_ptr<HttpResponse> response;
    bool is_from_elsewhere = false;  // a redirect has left the endpoint: a bucket answers
    std::string location{};          // of such a redirect, where that was asked for
    std::string url{};               // of the change that it answers
  };
  struct Sending;  // of one Change

  async::Task<Result<Answer>> ask_any(Question question);
  async::Task<Result<Answer>> ask_endpoint(std::size_t endpoint, Question question);
  async::Task<Result<Answer>> ask_once(std::string endpoint, Question question,
                                       Secret authorization);
  async::Task<Result<Document>> get_document(Question question, std::size_t limit);

  // The loops of a change, as those above.
  async::Task<Result<ChangeAnswer>> try_change(const Change& change, Sending& sending);
  async::Task<Result<Answer>> send_change(const Change& change, Sending& sending,
                                          RedirectTarget first, Secret authorization);
  async::Task<Result<ChangeAnswer>> read_change_answer(const Change& change, Answer& answer,
                                                       const Login& login);
  HttpRequest request_for(const Change& change, std::string url, const Secret& authorization) const;

  // What an answer other than the wanted one means, quoting no login.
  static async::Task<Error> read_refusal(Answer& answer, const Login& login);
  // What to ask again as; nullopt: that will not help.
  async::Task<Result<std::optional<Login>>> login_after(const Answer& answer, std::string endpoint,
                                                        std::string scope, Login refused);
  HttpRequest request_for(const Question& question, std::string url,
                          const Secret& authorization) const;
  void note_quota(const HttpResponse& response, const Login& login);
  [[nodiscard]] Error explained(Error error) const;

  const RegistryOptions options_;
  HttpTransport& transport_;
  const Clock& clock_;
  const RetryPolicy retry_policy_;
  EndpointBoard& board_;
  Endpoints endpoints_;
  std::unique_ptr<Logins> logins_;
  QuotaBoard& quotas_;
  std::string identity_;  // that the registry knew us by when it last told a quota
  std::unordered_map<std::string, SteadyTime> sent_itself_;  // blobs, until when to believe it
  std::optional<SteadyTime> no_places_until_;
  std::minstd_rand chance_;
};

}  // namespace fairlead::upstream
