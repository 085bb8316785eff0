// SPDX-License-Identifier: Apache-2.0
#include "upstream/registry_client.h"

#include <algorithm>

#include "oci/range.h"
#include "upstream/answer.h"
#include "upstream/authenticator.h"
#include "upstream/redirect.h"
#include "upstream/relay.h"

namespace fairlead::upstream {
namespace {

// How long a blob that the registry sent itself, and did not redirect, is taken for such a one.
constexpr std::chrono::minutes kSentItselfFor{5};
constexpr std::size_t kMaxSentItself = 4096;

// Asking for a place is an extra: what does not answer soon is asked for the bytes, and not for
// places for a while.
constexpr std::chrono::seconds kPatienceForPlace{5};
constexpr std::chrono::seconds kNoPlaceFor{30};

class ResponseBody final : public Body {
 public:
  ResponseBody(std::unique_ptr<HttpResponse> response, std::string registry)
      : response_(std::move(response)), registry_(std::move(registry)) {}

  async::Task<Result<ByteView>> read() override {
    auto piece = co_await response_->read();
    if (!piece) {
      co_return std::unexpected(std::move(piece.error()).within("registry " + registry_));
    }
    co_return piece;
  }

 private:
  std::unique_ptr<HttpResponse> response_;
  std::string registry_;
};

std::string range_header(std::uint64_t offset, std::optional<std::uint64_t> length) {
  if (offset == 0 && !length) return {};
  std::string header = "bytes=" + std::to_string(offset) + "-";
  if (length) header += std::to_string(offset + *length - 1);
  return header;
}

// A 206 must be the part that was asked for: bytes at another place would be written there.
Result<void> check_partial(const HttpResponse& response, std::uint64_t offset,
                           std::optional<std::uint64_t> length, ContentHead& head) {
  const auto corrupt = [](std::string context) {
    return upstream_error(Code::Corrupt, Retry::No, std::move(context));
  };
  const auto part = oci::parse_content_range(response.headers().find("Content-Range"));
  if (!part) return corrupt("answered 206 with a missing or malformed Content-Range");
  const auto [first, count] = part->range;
  if (first != offset || (length && count > *length)) {
    return corrupt("answered another range than was asked for");
  }
  if (head.size && *head.size != count) {
    return corrupt("answered a Content-Length that contradicts its Content-Range");
  }
  const bool is_cut_short =
      part->size && (length ? count < *length : true) && first + count < *part->size;
  if (is_cut_short) return corrupt("answered less than the range that was asked for");
  head.size = part->size;
  return {};
}

Result<void> check_digest(const ContentHead& head, const std::optional<oci::Digest>& asked) {
  if (!asked || !head.digest || head.digest->algorithm() != asked->algorithm()) return {};
  if (*head.digest == *asked) return {};
  return upstream_error(
      Code::Corrupt, Retry::No,
      "answered " + asked->str() + " with a Docker-Content-Digest of " + head.digest->str());
}

}  // namespace

RegistryClient::RegistryClient(RegistryOptions options, HttpTransport& transport,
                               const RegistryServices& services, RetryPolicy retry_policy)
    : options_(std::move(options)),
      transport_(transport),
      clock_(services.clock),
      retry_policy_(retry_policy),
      board_(services.board),
      endpoints_(options_.url, options_.mirrors, services.clock),
      logins_(std::make_unique<Authenticator>(options_, transport, services.board, services.tokens,
                                              services.credentials, services.log)),
      quotas_(services.quotas),
      chance_(std::random_device{}()) {}

RegistryClient::RegistryClient(RegistryOptions options, HttpTransport& transport,
                               const RegistryServices& services, Login login)
    : RegistryClient(std::move(options), transport, services) {
  logins_ = std::make_unique<RelayedLogins>(options_, std::move(login));
}

async::Task<Result<ContentHead>> RegistryClient::head_manifest(std::string repository,
                                                               std::string reference,
                                                               std::string accept) {
  const auto asked = oci::Digest::parse(reference);
  auto answer = co_await ask_any({.method = "HEAD",
                                  .repository = std::move(repository),
                                  .path = "manifests/" + reference,
                                  .accept = std::move(accept)});
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  auto head = read_content_head(*answer->response);
  if (!head) co_return std::unexpected(explained(std::move(head.error())));
  if (auto checked = check_digest(*head, asked); !checked) {
    co_return std::unexpected(explained(std::move(checked.error())));
  }
  co_return head;
}

async::Task<Result<Download>> RegistryClient::get_manifest(std::string repository,
                                                           std::string reference,
                                                           std::string accept) {
  const auto asked = oci::Digest::parse(reference);
  auto answer = co_await ask_any({.repository = std::move(repository),
                                  .path = "manifests/" + reference,
                                  .accept = std::move(accept)});
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  auto head = read_content_head(*answer->response);
  if (!head) co_return std::unexpected(explained(std::move(head.error())));
  if (auto checked = check_digest(*head, asked); !checked) {
    co_return std::unexpected(explained(std::move(checked.error())));
  }
  co_return Download{
      .head = *std::move(head),
      .body = std::make_unique<ResponseBody>(std::move(answer->response), options_.name)};
}

async::Task<Result<ContentHead>> RegistryClient::head_blob(std::string repository,
                                                           oci::Digest digest) {
  auto answer = co_await ask_any(
      {.method = "HEAD", .repository = repository, .path = "blobs/" + digest.str()});
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  if (answer->response->status() != 200) {
    // Redirected to a location that is signed for GET and refuses HEAD: one byte tells the size.
    auto probe = co_await get_blob(std::move(repository), digest, 0, 1);
    if (!probe) co_return std::unexpected(std::move(probe.error()));
    co_return std::move(probe->head);
  }
  auto head = read_content_head(*answer->response);
  if (!head) co_return std::unexpected(explained(std::move(head.error())));
  if (auto checked = check_digest(*head, digest); !checked) {
    co_return std::unexpected(explained(std::move(checked.error())));
  }
  co_return head;
}

async::Task<Result<Download>> RegistryClient::get_blob(std::string repository, oci::Digest digest,
                                                       std::uint64_t offset,
                                                       std::optional<std::uint64_t> length) {
  const std::string range = range_header(offset, length);
  auto answer = co_await ask_any({.repository = std::move(repository),
                                  .path = "blobs/" + digest.str(),
                                  .range = range,
                                  .is_bulk = true});
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  auto head = read_content_head(*answer->response);
  if (!head) co_return std::unexpected(explained(std::move(head.error())));
  auto checked = check_digest(*head, digest);
  const bool is_partial = answer->response->status() == 206;
  if (checked && is_partial) {
    checked = range.empty() ? upstream_error(Code::Corrupt, Retry::No,
                                             "answered a part where the whole was asked for")
                            : check_partial(*answer->response, offset, length, *head);
  }
  if (!checked) co_return std::unexpected(explained(std::move(checked.error())));
  co_return Download{
      .head = *std::move(head),
      .offset = is_partial ? offset : 0,
      .body = std::make_unique<ResponseBody>(std::move(answer->response), options_.name)};
}

async::Task<Result<Document>> RegistryClient::get_document(std::string repository,
                                                           std::string path_and_query,
                                                           std::string accept, std::size_t limit) {
  co_return co_await get_document({.repository = std::move(repository),
                                   .path = std::move(path_and_query),
                                   .accept = std::move(accept)},
                                  limit);
}

async::Task<Result<Document>> RegistryClient::list_repositories(std::string query,
                                                                std::size_t limit) {
  co_return co_await get_document(
      {.path = query.empty() ? "_catalog" : "_catalog?" + std::move(query)}, limit);
}

async::Task<Result<Document>> RegistryClient::get_document(Question question, std::size_t limit) {
  auto answer = co_await ask_any(std::move(question));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  auto head = read_content_head(*answer->response);
  if (!head) co_return std::unexpected(explained(std::move(head.error())));
  auto body = co_await read_whole(*answer->response, limit);
  if (!body) co_return std::unexpected(explained(std::move(body.error())));
  const Headers& headers = answer->response->headers();
  co_return Document{.body = *std::move(body),
                     .media_type = std::move(head->media_type),
                     .link = headers.join("Link"),
                     .filters_applied = headers.join("OCI-Filters-Applied"),
                     .warning = headers.join("Warning")};
}

async::Task<Result<std::optional<Location>>> RegistryClient::locate_blob(std::string repository,
                                                                         oci::Digest digest) {
  const auto known = sent_itself_.find(digest.str());
  if (known != sent_itself_.end() && clock_.steady() < known->second) co_return std::nullopt;
  if (no_places_until_ && clock_.steady() < *no_places_until_) co_return std::nullopt;
  // By GET: a URL that is signed for HEAD is good for nothing else.
  auto answer = co_await ask_any({.repository = std::move(repository),
                                  .path = "blobs/" + digest.str(),
                                  .is_bulk = true,
                                  .is_about_place = true});
  if (!answer) {
    if (is_outage(answer.error())) no_places_until_ = clock_.steady() + kNoPlaceFor;
    co_return std::unexpected(std::move(answer.error()));
  }
  if (!answer->location.empty()) co_return Location{std::move(answer->location)};
  if (sent_itself_.size() >= kMaxSentItself) sent_itself_.clear();
  sent_itself_.insert_or_assign(digest.str(), clock_.steady() + kSentItselfFor);
  co_return std::nullopt;
}

async::Task<Result<RegistryClient::Answer>> RegistryClient::ask_any(Question question) {
  // What repositories there are is not a mirror's to say.
  const auto order =
      question.repository.empty() ? std::vector{Endpoints::kOwn} : endpoints_.order();
  const std::size_t attempts =
      question.is_about_place ? order.size() : std::max(retry_policy_.attempts, order.size());
  const SteadyTime begun = clock_.steady();
  std::optional<Error> own_error;
  for (std::size_t attempt = 0; attempt < attempts; ++attempt) {
    const std::size_t endpoint = order[attempt % order.size()];
    auto answer = co_await ask_endpoint(endpoint, question);
    if (answer) {
      endpoints_.answered(endpoint);
      co_return answer;
    }
    Error error = std::move(answer.error());
    const bool is_own = endpoint == Endpoints::kOwn;
    if (error.code == Code::Cancelled || (is_own && !is_outage(error))) {
      co_return std::unexpected(explained(std::move(error)));
    }
    if (is_outage(error)) endpoints_.failed(endpoint);
    if (is_own) own_error = error;

    const bool has_asked_all = attempt + 1 >= order.size();
    if (!has_asked_all) continue;
    const auto spent =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady() - begun);
    const double chance = std::generate_canonical<double, 16>(chance_);
    const auto pause =
        pause_before_retry(retry_policy_, *own_error, attempt + 1 - order.size(), spent, chance);
    if (!pause) break;
    if (attempt + 1 < attempts) co_await async::sleep_for(*pause);
  }
  co_return std::unexpected(explained(*std::move(own_error)));
}

async::Task<Result<RegistryClient::Answer>> RegistryClient::ask_endpoint(std::size_t endpoint,
                                                                         Question question) {
  const std::string url = endpoints_.url(endpoint);
  const std::string scope = question.repository.empty()
                                ? "registry:catalog:*"
                                : "repository:" + question.repository + ":pull";
  auto login = co_await logins_->begin(url, scope);
  for (int refusals = 0;; ++refusals) {
    if (!login) co_return std::unexpected(std::move(login.error()));
    auto answer = co_await ask_once(url, question, login->authorization);
    if (!answer) co_return answer;
    const int status = answer->response->status();
    if (!answer->is_from_elsewhere) note_quota(*answer->response, *login);
    if (status == 200 || (status == 206 && !question.range.empty())) co_return answer;
    if (!answer->location.empty()) co_return answer;

    const bool is_probe_refused = answer->is_from_elsewhere && question.method == "HEAD" &&
                                  question.path.starts_with("blobs/") &&
                                  (status == 403 || status == 405 || status == 501);
    if (is_probe_refused) co_return answer;  // head_blob knows another way
    Error error = co_await read_refusal(*answer, *login);
    if (refusals == Logins::kMaxRefusals) co_return std::unexpected(std::move(error));
    auto next = co_await login_after(*answer, url, scope, *std::move(login));
    if (!next) co_return std::unexpected(std::move(next.error()));
    if (!*next) co_return std::unexpected(std::move(error));
    login = **std::move(next);
  }
}

async::Task<Error> RegistryClient::read_refusal(Answer& answer, const Login& login) {
  Error error = co_await read_error(*answer.response);
  conceal(error.context, login);
  const int status = answer.response->status();
  if (answer.is_from_elsewhere && (status == 401 || status == 403)) {
    // Its storage refuses what it has signed itself: no word about the caller's rights.
    error.code = Code::Unavailable;
    error.retry = Retry::Yes;
    error.context = "its storage " + error.context;
  }
  co_return error;
}

async::Task<Result<std::optional<Login>>> RegistryClient::login_after(const Answer& answer,
                                                                      std::string endpoint,
                                                                      std::string scope,
                                                                      Login refused) {
  const int status = answer.response->status();
  const auto challenges = answer.response->headers().find_all("WWW-Authenticate");
  const bool is_refusal =
      status == 401 || (status == 403 && challenges.empty() && !refused.authorization.empty());
  if (answer.is_from_elsewhere || !is_refusal) co_return std::nullopt;
  co_return co_await logins_->after_refusal(std::move(endpoint), std::move(scope),
                                            {challenges.begin(), challenges.end()},
                                            std::move(refused));
}

async::Task<Result<RegistryClient::Answer>> RegistryClient::ask_once(std::string endpoint,
                                                                     Question question,
                                                                     Secret authorization) {
  std::string url = endpoint + "/v2/";
  if (!question.repository.empty()) url += question.repository + "/";
  url += question.path;
  bool is_elsewhere = false;
  for (int redirects = 0;; ++redirects) {
    auto response = co_await transport_.send(request_for(question, url, authorization));
    if (!response) co_return std::unexpected(unanswered(std::move(response.error())));
    if (!is_redirect((*response)->status())) {
      co_return Answer{.response = *std::move(response), .is_from_elsewhere = is_elsewhere};
    }
    if (redirects == kMaxRedirects) {
      co_return upstream_error(Code::Corrupt, Retry::No, "redirects too many times");
    }
    const std::string location((*response)->headers().find("Location"));
    auto target = redirect_target(endpoint, url, location);
    if (!target) co_return std::unexpected(std::move(target.error()));
    if (!target->keeps_authorization) {
      if (question.is_about_place) {
        co_return Answer{.response = *std::move(response), .location = std::move(target->url)};
      }
      authorization = Secret();  // and never gets it back
      is_elsewhere = true;
    }
    url = std::move(target->url);
  }
}

void RegistryClient::note_quota(const HttpResponse& response, const Login& login) {
  const Headers& headers = response.headers();
  const auto told = parse_quota(headers.find("ratelimit-limit"),
                                headers.find("ratelimit-remaining"), clock_.steady());
  if (!told) return;
  identity_ = login.credentials ? login.credentials->username : "";
  quotas_.note(options_.name, identity_, *told);
}

std::optional<Quota> RegistryClient::quota() const {
  return quotas_.find(options_.name, identity_, clock_.steady());
}

HttpRequest RegistryClient::request_for(const Question& question, std::string url,
                                        const Secret& authorization) const {
  HttpRequest request{.method = question.method,
                      .url = std::move(url),
                      .timeouts = options_.timeouts,
                      .ca_file = options_.ca_file,
                      .proxy = options_.proxy,
                      .is_bulk = question.is_bulk};
  if (question.is_about_place) {
    request.timeouts.first_byte =
        std::min<std::chrono::milliseconds>(request.timeouts.first_byte, kPatienceForPlace);
  }
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) request.headers.emplace_back(name, value);
  };
  add("Accept", question.accept);
  add("Range", question.range);
  add("Authorization", authorization.reveal());
  return request;
}

Error RegistryClient::explained(Error error) const {
  const bool has_credentials = options_.credentials || !options_.credential_helper.empty();
  if (error.code == Code::Unauthorized && options_.relays_credentials) {
    error.context += "; it decides by the caller's own credentials";
  } else if (error.code == Code::Unauthorized && !has_credentials) {
    error.context += "; it may want credentials, and none are configured for it";
  } else if (error.code == Code::Unauthorized) {
    error.context += "; check the credentials configured for it";
  }
  return std::move(error).within("registry " + options_.name);
}

}  // namespace fairlead::upstream
