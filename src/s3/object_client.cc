// SPDX-License-Identifier: Apache-2.0
// How S3 is asked; the questions that write are in object_uploads.cc, those that read in
// object_reads.cc.
#include "s3/object_client.h"

#include <algorithm>
#include <cmath>

#include "s3/question.h"
#include "s3/refusal.h"
#include "s3/signer.h"
#include "upstream/answer.h"

namespace fairlead::s3 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};  // doubles each time
constexpr milliseconds kMaxPause{2000};
constexpr milliseconds kSmallAnswer{10'000};  // for its body
constexpr std::size_t kMaxErrorBody = 64 * 1024;
constexpr std::size_t kHashedHere = 64 * 1024;  // larger bodies on the pool

std::vector<NameValue> views_of(const TextPairs& pairs) {
  std::vector<NameValue> views;
  views.reserve(pairs.size());
  for (const auto& [name, value] : pairs) views.push_back({name, value});
  return views;
}

bool is_temporary(const S3Credentials& credentials) {
  return !credentials.session_token.empty() || credentials.expiry;
}

// Where the status alone leaves open what is wrong.
bool needs_words(int status) { return status != 404 && status >= 300 && status < 500; }

std::string hex_of(const Sha256& hash) {
  std::string text;
  append_hex(text, hash);
  return text;
}

}  // namespace

ObjectClient::ObjectClient(Bucket& bucket, upstream::HttpTransport& transport,
                           async::BlockingPool& pool)
    : bucket_(bucket), transport_(transport), pool_(pool), chance_(std::random_device{}()) {}

async::Task<Result<ObjectClient::Answer>> ObjectClient::ask(const Question& question) {
  if (auto admitted = bucket_.health().admit(); !admitted) {
    co_return std::unexpected(std::move(admitted.error()));
  }
  auto answer = co_await ask_until_answered(question);
  if (!answer) {
    Error error = named(std::move(answer.error()));
    bucket_.health().note(question.permission, std::unexpected(error));
    co_return std::unexpected(std::move(error));
  }
  bucket_.health().note(question.permission, {});
  co_return answer;
}

async::Task<Result<ObjectClient::Answer>> ObjectClient::ask_until_answered(
    const Question& question) {
  bool has_renewed = false;
  for (int attempts = 1;; ++attempts) {
    const auto credentials = co_await current_credentials();
    if (!credentials) co_return std::unexpected(credentials.error());
    auto answer = co_await ask_once(question, **credentials);
    if (answer) co_return answer;

    const Error& error = answer.error();
    if (error.code == Code::Unauthorized && is_temporary(**credentials) && !has_renewed) {
      has_renewed = true;
      bucket_.credentials().refuse(*credentials);
      const auto renewed = co_await current_credentials();
      if (renewed && *renewed != *credentials) continue;
    }
    const bool may_be_better =
        error.retry == Retry::Yes && (error.code != Code::Timeout || question.body);
    if (!may_be_better || attempts >= kAttempts) co_return answer;
    co_await async::sleep_for(pause_after(error, attempts));
  }
}

async::Task<Result<ObjectClient::Answer>> ObjectClient::ask_once(const Question& question,
                                                                 const S3Credentials& credentials) {
  auto response = co_await send(question, credentials);
  if (!response) co_return std::unexpected(std::move(response.error()));
  const int status = (*response)->status();
  const bool is_good = (status >= 200 && status < 300) || (status == 416 && question.takes_416);
  if (!is_good) co_return std::unexpected(co_await explain(question, credentials, **response));

  Answer answer{.response = *std::move(response), .body = {}};
  if (!question.limit) co_return answer;
  auto body = co_await read_small(*answer.response, *question.limit, patience_for(question));
  if (!body) co_return std::unexpected(std::move(body.error()));
  answer.body = *std::move(body);
  // What takes long is begun with 200, and the bad news follow.
  if (question.method == "POST" && parse_error_document(answer.body)) {
    co_return std::unexpected(
        refusal({.status = status, .headers = answer.response->headers(), .body = answer.body},
                {.region = bucket_.options().region,
                 .permission = question.permission,
                 .key = question.key,
                 .credentials = credentials,
                 .now = bucket_.clock().wall()}));
  }
  co_return answer;
}

milliseconds ObjectClient::patience_for(const Question& question) const {
  return std::max(bucket_.options().timeouts.first_byte, question.patience) + kSmallAnswer;
}

async::Task<Result<std::string>> ObjectClient::read_small(upstream::HttpResponse& response,
                                                          std::size_t limit,
                                                          milliseconds patience) const {
  const SteadyTime deadline = bucket_.clock().steady() + patience;
  const auto is_late = [this, deadline] { return bucket_.clock().steady() >= deadline; };
  return upstream::read_whole(response, limit, is_late);
}

async::Task<Result<std::unique_ptr<upstream::HttpResponse>>> ObjectClient::send(
    const Question& question, const S3Credentials& credentials) {
  const BucketOptions& options = bucket_.options();
  auto made = sign(
      bucket_.address(),
      {.method = question.method, .key = question.key, .parameters = views_of(question.parameters)},
      views_of(question.headers), question.payload_hash,
      {.credentials = credentials,
       .region = options.region,
       .keys = bucket_.keys(),
       .now = bucket_.clock().wall()});
  if (!made) co_return std::unexpected(std::move(made.error()));
  upstream::HttpRequest request{.method = question.method,
                                .url = std::move(made->url),
                                .headers = std::move(made->headers),
                                .shared_body = question.body,
                                .timeouts = options.timeouts,
                                .ca_file = options.ca_file,
                                .proxy = options.proxy,
                                .is_bulk = question.is_bulk};
  request.timeouts.first_byte = std::max(request.timeouts.first_byte, question.patience);
  if (question.limit) {
    request.timeouts.stall = std::min(request.timeouts.stall, patience_for(question));
  }
  auto response = co_await transport_.send(std::move(request));
  // What cannot be sent is the bucket's settings' fault, so the bucket's.
  if (!response && response.error().code != Code::Cancelled) {
    response.error().origin = Origin::Upstream;
  }
  const bool is_unreachable = !response && response.error().code == Code::Unavailable &&
                              response.error().retry == Retry::Yes;
  if (is_unreachable) {
    response.error().context += "; check its endpoint, the proxy and the network if this lasts";
  }
  co_return response;
}

async::Task<Error> ObjectClient::explain(const Question& question, const S3Credentials& credentials,
                                         upstream::HttpResponse& response) {
  std::unique_ptr<upstream::HttpResponse> with_words;
  if (question.method == "HEAD" && needs_words(response.status())) {
    Question get{.key = question.key, .headers = {{"Range", "bytes=0-0"}}};
    auto answered = co_await send(get, credentials);
    if (answered && (*answered)->status() >= 300) with_words = *std::move(answered);
  }
  upstream::HttpResponse& answer = with_words ? *with_words : response;
  const auto body = co_await read_small(answer, kMaxErrorBody, patience_for(question));
  co_return refusal({.status = answer.status(),
                     .headers = answer.headers(),
                     .body = body ? *body : std::string_view()},
                    {.region = bucket_.options().region,
                     .permission = question.permission,
                     .key = question.key,
                     .credentials = credentials,
                     .now = bucket_.clock().wall()});
}

async::Task<Result<SharedCredentials>> ObjectClient::current_credentials() {
  if (auto ready = bucket_.credentials().ready()) co_return ready;
  auto fetched = co_await bucket_.credentials().get({.transport = transport_, .pool = pool_});
  if (fetched) co_return fetched;
  Error error = std::move(fetched.error());
  if (error.code == Code::Cancelled) co_return std::unexpected(std::move(error));
  // A token's file that is not there must not become an object that is not there.
  if (error.code != Code::Timeout) error.code = Code::Unavailable;
  error.origin = Origin::Upstream;
  error.retry = Retry::No;
  co_return std::unexpected(std::move(error).within("no credentials"));
}

async::Task<std::string> ObjectClient::hash(std::shared_ptr<const std::string> bytes) {
  if (bytes->size() <= kHashedHere) co_return hex_of(sha256(*bytes));
  co_return co_await pool_.run([bytes] { return hex_of(sha256(*bytes)); });
}

milliseconds ObjectClient::pause_after(const Error& error, int attempts) {
  const double chance = std::uniform_real_distribution(0.5, 1.0)(chance_);
  const auto full = std::min(kFirstPause * (1 << std::min(attempts - 1, 8)), kMaxPause);
  milliseconds pause(std::llround(static_cast<double>(full.count()) * chance));
  if (error.retry_after) {
    pause = std::max(pause, std::min<milliseconds>(*error.retry_after, kMaxPause));
  }
  return pause;
}

std::unexpected<Error> ObjectClient::nonsense(const Question& question, Error error) {
  error = named(std::move(error));
  bucket_.health().note(question.permission, std::unexpected(error));
  return std::unexpected(std::move(error));
}

Error ObjectClient::named(Error error) const {
  return std::move(error).within("the bucket " + bucket_.options().name);
}

}  // namespace fairlead::s3
