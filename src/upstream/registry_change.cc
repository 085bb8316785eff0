// SPDX-License-Identifier: Apache-2.0
// RegistryClient's changes: pushing, and deleting. As for its other questions there are three loops
// (attempts, logins, redirects), and each goes on only as long as the request can be sent again.
#include <algorithm>

#include "oci/error_document.h"
#include "upstream/answer.h"
#include "upstream/registry_client.h"

namespace fairlead::upstream {
namespace {

constexpr std::chrono::milliseconds kPatienceForEnd = std::chrono::minutes(5);
constexpr std::uint64_t kSmallStream = 256 * 1024;  // read by many servers before they refuse it
constexpr std::size_t kMaxAnswer = 64 * 1024;
constexpr std::size_t kMaxLocation = 8 * 1024;

// Knows what has become of the body it stands for.
class WatchedBody final : public Body {
 public:
  explicit WatchedBody(std::shared_ptr<Body> body) : body_(std::move(body)) {}

  async::Task<Result<ByteView>> read() override {
    is_begun_ = true;
    auto piece = co_await body_->read();
    has_failed_ = !piece;
    co_return piece;
  }

  [[nodiscard]] bool is_begun() const { return is_begun_; }
  [[nodiscard]] bool has_failed() const { return has_failed_; }

 private:
  const std::shared_ptr<Body> body_;
  bool is_begun_ = false;
  bool has_failed_ = false;
};

std::unexpected<Error> corrupt(std::string context) {
  return upstream_error(Code::Corrupt, Retry::No, std::move(context));
}

bool is_about_upload(const Change& change) {
  return !change.url.empty() || change.path.starts_with("blobs/uploads/");
}

std::string scope_of(const Change& change) {
  const bool deletes = change.method == "DELETE" && !is_about_upload(change);
  std::string scope = "repository:" + change.repository + (deletes ? ":delete" : ":pull,push");
  if (!change.mounts_from.empty()) scope += " repository:" + change.mounts_from + ":pull";
  return scope;
}

bool is_success(int status) { return status >= 200 && status < 300; }

// The attack, or the proxy in between: a page that says 200 to everything is no yes.
bool means_something(const Change& change, int status) {
  if (status >= 400) return true;
  if (change.method == "GET" || change.method == "DELETE") {
    return status == 200 || status == 202 || status == 204;
  }
  const bool may_be_empty = is_about_upload(change) && change.method != "POST";
  return status == 201 || status == 202 || (status == 204 && may_be_empty);
}

bool is_answer(int status) {
  const bool is_about_us = status == 401 || status == 403 || status == 429;
  return is_success(status) || (status >= 400 && status < 500 && !is_about_us);
}

// Where a request begins.
Result<RedirectTarget> target_of(const Change& change, const std::string& endpoint) {
  if (!change.url.empty()) return redirect_target(endpoint, endpoint, change.url);
  return RedirectTarget{.url = endpoint + "/v2/" + change.repository + "/" + change.path,
                        .keeps_authorization = true};
}

// Where an upload goes on, or what was made lies.
Result<std::string> location_of(const HttpResponse& response, const std::string& registry_url,
                                const std::string& url) {
  const std::string_view location = response.headers().find("Location");
  if (location.size() > kMaxLocation) return corrupt("answered with a Location above 8 KiB");
  auto target = redirect_target(registry_url, url, location);
  if (!target)
    return corrupt("answered with a Location that is of no use: " + target.error().context);
  return std::move(target->url);
}

}  // namespace

struct RegistryClient::Sending {
  std::shared_ptr<WatchedBody> stream;  // null: none
  std::shared_ptr<bool> has_gone_out;   // of the last request
  int status = 0;                       // of its answer; 0: none

  [[nodiscard]] bool is_stream_begun() const { return stream && stream->is_begun(); }

  // Whether the registry may be asked once more after it did not come to an answer. What begins an
  // upload, or adds to one, is not to be done twice.
  [[nodiscard]] bool may_be_repeated(const Change& change) const {
    if (is_stream_begun()) return false;
    const bool was_refused = !*has_gone_out || status == 429 || status == 503;
    const bool adds = change.method == "POST" || (change.method == "PATCH" && !stream);
    // Done a second time, these are told that there is nothing to be ended or deleted.
    const bool ends =
        change.method == "DELETE" || (change.method == "PUT" && is_about_upload(change));
    return was_refused || (!adds && !ends);
  }
};

async::Task<Result<ChangeAnswer>> RegistryClient::change(Change change) {
  Sending sending{.has_gone_out = std::make_shared<bool>(false)};
  if (change.stream) {
    sending.stream = std::make_shared<WatchedBody>(std::move(change.stream));
    change.stream = sending.stream;
  }
  const SteadyTime begun = clock_.steady();
  for (std::size_t attempt = 0;; ++attempt) {
    auto answer = co_await try_change(change, sending);
    if (answer) {
      endpoints_.answered(Endpoints::kOwn);
      co_return answer;
    }
    Error error = std::move(answer.error());
    const bool is_senders =
        error.origin == Origin::Client || (sending.stream && sending.stream->has_failed());
    if (is_senders) co_return std::unexpected(std::move(error));
    if (is_outage(error)) endpoints_.failed(Endpoints::kOwn);
    const bool is_last = attempt + 1 >= retry_policy_.attempts || !sending.may_be_repeated(change);
    const auto spent =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady() - begun);
    const double chance = std::generate_canonical<double, 16>(chance_);
    const auto pause = pause_before_retry(retry_policy_, error, attempt, spent, chance);
    if (is_last || !pause) co_return std::unexpected(explained(std::move(error)));
    co_await async::sleep_for(*pause);
  }
}

async::Task<Result<ChangeAnswer>> RegistryClient::try_change(const Change& change,
                                                             Sending& sending) {
  const std::string endpoint = endpoints_.url(Endpoints::kOwn);
  const std::string scope = scope_of(change);
  const auto target = target_of(change, endpoint);
  if (!target) co_return std::unexpected(target.error());
  auto login = change.stream && target->keeps_authorization
                   ? co_await logins_->begin_once(endpoint, scope)
                   : co_await logins_->begin(endpoint, scope);
  for (int refusals = 0;; ++refusals) {
    if (!login) co_return std::unexpected(std::move(login.error()));
    auto answer = co_await send_change(change, sending, *target, login->authorization);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    if (!answer->is_from_elsewhere) note_quota(*answer->response, *login);
    const bool is_stranger = login->authorization.empty() && !answer->is_from_elsewhere;
    if (is_stranger && is_success(sending.status)) board_.note_asks_nothing(endpoint);
    if (is_answer(sending.status)) co_return co_await read_change_answer(change, *answer, *login);

    Error error = co_await read_refusal(*answer, *login);
    if (refusals == Logins::kMaxRefusals) co_return std::unexpected(std::move(error));
    auto next = co_await login_after(*answer, endpoint, scope, *std::move(login));
    if (!next) co_return std::unexpected(std::move(next.error()));
    if (!*next) co_return std::unexpected(std::move(error));
    if (sending.is_stream_begun()) {
      co_return upstream_error(Code::Unavailable, Retry::Yes,
                               "the registry refused our login after part of the body had been "
                               "sent; try again");
    }
    login = **std::move(next);
  }
}

async::Task<Result<RegistryClient::Answer>> RegistryClient::send_change(const Change& change,
                                                                        Sending& sending,
                                                                        RedirectTarget first,
                                                                        Secret authorization) {
  const std::string& endpoint = endpoints_.url(Endpoints::kOwn);
  const bool is_small = change.stream_length && *change.stream_length <= kSmallStream;
  std::string url;
  bool is_elsewhere = false;
  const auto go_to = [&](RedirectTarget target) {
    if (!target.keeps_authorization) {
      authorization = Secret();  // and never gets it back
      is_elsewhere = true;
    }
    url = std::move(target.url);
  };
  if (change.is_elsewhere) first.keeps_authorization = false;
  go_to(std::move(first));
  for (int redirects = 0;; ++redirects) {
    sending.status = 0;
    HttpRequest request = request_for(change, url, authorization);
    request.expects_continue = is_elsewhere || !board_.sends_no_continue(endpoint, is_small);
    request.has_gone_out = sending.has_gone_out = std::make_shared<bool>(false);
    auto response = co_await transport_.send(std::move(request));
    if (!response) co_return std::unexpected(unanswered(std::move(response.error())));
    sending.status = (*response)->status();
    if (!is_elsewhere && (*response)->ignored_expectation()) {
      if (is_success(sending.status)) board_.note_no_continue(endpoint);
      if (is_small) board_.note_no_continue_for_small(endpoint);
    }
    if (!is_redirect(sending.status)) {
      co_return Answer{.response = *std::move(response),
                       .is_from_elsewhere = is_elsewhere,
                       .url = std::move(url)};
    }
    if (redirects == kMaxRedirects) co_return corrupt("redirects too many times");
    if (sending.is_stream_begun()) co_return corrupt("redirects within a body");
    const std::string location((*response)->headers().find("Location"));
    auto target = redirect_target(endpoint, url, location);
    if (!target) co_return corrupt(std::move(target.error().context));
    go_to(*std::move(target));
  }
}

HttpRequest RegistryClient::request_for(const Change& change, std::string url,
                                        const Secret& authorization) const {
  HttpRequest request{.method = change.method,
                      .url = std::move(url),
                      .shared_body = change.whole,
                      .stream = change.stream,
                      .stream_length = change.stream_length,
                      .timeouts = options_.timeouts,
                      .ca_file = options_.ca_file,
                      .proxy = options_.proxy};
  // What ends an upload may have to be put together and moved first, all of it.
  if (is_about_upload(change) && change.method == "PUT") {
    request.timeouts.first_byte = std::max(request.timeouts.first_byte, kPatienceForEnd);
  }
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) request.headers.emplace_back(name, value);
  };
  add("Content-Type", change.content_type);
  add("Content-Range", change.content_range);
  add("Authorization", authorization.reveal());
  return request;
}

async::Task<Result<ChangeAnswer>> RegistryClient::read_change_answer(const Change& change,
                                                                     Answer& answer,
                                                                     const Login& login) {
  HttpResponse& response = *answer.response;
  const Headers& headers = response.headers();
  ChangeAnswer told{.status = response.status(),
                    .range = std::string(headers.find("Range")),
                    .upload_uuid = std::string(headers.find("Docker-Upload-UUID")),
                    .digest = std::string(headers.find("Docker-Content-Digest")),
                    .subject = std::string(headers.find("OCI-Subject")),
                    .chunk_min_length = std::string(headers.find("OCI-Chunk-Min-Length")),
                    .warning = headers.join("Warning")};
  for (const std::string_view tag : headers.find_all("OCI-Tag")) told.tags.emplace_back(tag);
  if (!means_something(change, told.status)) {
    co_return corrupt("answered " + std::to_string(told.status) + " to a " + change.method +
                      ", which is no word of a registry's");
  }
  told.is_from_elsewhere = answer.is_from_elsewhere;
  const bool needs_location =
      told.status == 202 && (change.method == "POST" || change.method == "PATCH");
  const bool has_location = !headers.find("Location").empty();
  if (needs_location && !has_location) {
    co_return corrupt("answered 202 without a Location: the upload cannot go on");
  }
  if (has_location) {
    auto location = location_of(response, endpoints_.url(Endpoints::kOwn), answer.url);
    // Where the thing that was made lies, is known without it.
    if (!location && (needs_location || (told.is_success() && change.method == "GET"))) {
      co_return std::unexpected(std::move(location.error()));
    }
    told.location = std::move(location).value_or("");
  }

  // To its end, so that the connection can be used again.
  const auto body = co_await read_whole(response, kMaxAnswer);
  if (!told.is_success() && body) told.error = oci::read_error_document(*body);
  if (told.error) {
    conceal(told.error->code, login);
    conceal(told.error->message, login);
  }
  co_return told;
}

}  // namespace fairlead::upstream
