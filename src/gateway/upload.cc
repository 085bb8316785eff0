// SPDX-License-Identifier: Apache-2.0
// Uploading blobs: each request is passed on as it comes, and where the upload goes on comes back
// sealed (OCI distribution-spec 1.1, "Pushing blobs").
//
//   POST                   begins one, mounts a blob of another repository, or is the whole of it
//   PATCH, PUT, GET, DELETE  goes on with it, ends it, asks how far it is, gives it up
//
// Nothing is kept of an upload here but, with write-through, its bytes.
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "gateway/client_body.h"
#include "gateway/error_meaning.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "gateway/service_name.h"
#include "oci/name.h"
#include "oci/query.h"

namespace fairlead::gateway {
namespace {

constexpr std::string_view kUploads = "blobs/uploads/";

std::string_view to_string(auth::Caller::Kind kind) {
  switch (kind) {
    case auth::Caller::Kind::Anonymous:
      return "anonymous";
    case auth::Caller::Kind::User:
      return "user ";
    case auth::Caller::Kind::Issued:
      return "issued ";
    case auth::Caller::Kind::Relayed:
      return "relayed ";
  }
  return "";
}

auth::UploadOwner owner_of(const Exchange& exchange) {
  return {.registry = exchange.target.registry,
          .repository = exchange.target.remote_repository,
          .name = exchange.target.name,
          .caller = std::string(to_string(exchange.caller->kind)) + exchange.caller->name};
}

std::string path_under(const Exchange& exchange, std::string_view rest) {
  return "/v2/" + exchange.operation.repository + "/" + std::string(rest);
}

// What a POST that is no mount may say: written anew, for registries split queries in other ways
// than we do.
std::string query_of_upload(std::string_view query) {
  std::string out;
  for (const std::string_view name : {"digest", "digest-algorithm"}) {
    const auto value = oci::query_parameter(query, name);
    if (!value) continue;
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(oci::percent_encode(*value));
  }
  return out;
}

// Behind a query that the registry's URL may have already.
std::string with_parameter(std::string url, std::string_view parameter) {
  url += url.contains('?') ? '&' : '?';
  return url.append(parameter);
}

std::optional<oci::Digest> digest_parameter(std::string_view query) {
  const auto text = oci::query_parameter(query, "digest");
  return text ? oci::Digest::parse(*text) : std::nullopt;
}

// "0-1023" -> 1024: how many bytes the registry has.
std::optional<std::uint64_t> bytes_of_range(std::string_view range) {
  constexpr std::string_view kFromBegin = "0-";
  if (!range.starts_with(kFromBegin)) return std::nullopt;
  std::uint64_t last = 0;
  const char* const end = range.data() + range.size();
  const auto [stop, ec] = std::from_chars(range.data() + kFromBegin.size(), end, last);
  if (ec != std::errc() || stop != end) return std::nullopt;
  return last + 1;
}

}  // namespace

// --- beginning ---

async::Task<> Gateway::start_upload(Exchange& exchange, const auth::Grant&) {
  for (const std::string_view name : {"digest", "mount", "from"}) {
    if (!oci::is_repeated(exchange.operation.query, name)) continue;
    co_return co_await respond_error(exchange, 400, oci::ErrorCode::Unsupported,
                                     std::string(name) + " can be said once only");
  }
  const auto source = content_source(exchange, cache::ContentKind::Blob);  // before it is asked
  if (const auto mount = mount_of(exchange)) {
    auto answer = co_await exchange.registry->change(
        {.method = "POST",
         .repository = exchange.target.remote_repository,
         .path = std::string(kUploads) + "?mount=" + oci::percent_encode(mount->digest.str()) +
                 "&from=" + oci::percent_encode(mount->from),
         .mounts_from = mount->from});
    // To be told to upload it is never wrong.
    if (answer && answer->is_success()) {
      co_return co_await respond_upload_begun(exchange, source, std::move(answer), mount->digest);
    }
  }
  const std::string query = query_of_upload(exchange.operation.query);
  const auto digest = digest_parameter(query);
  upstream::Change change{.method = "POST",
                          .repository = exchange.target.remote_repository,
                          .path = oci::with_query(std::string(kUploads), query)};
  if (digest) add_body(exchange, exchange.record.id, change);
  auto answer = co_await exchange.registry->change(std::move(change));
  co_await respond_upload_begun(exchange, source, std::move(answer), digest);
}

// What a POST asks to be mounted, in the registry's names; nullopt: nothing, or not from there. The
// attack: to be given, by the rights that we have at the registry, what the caller may not pull.
// Nor may the registry choose where from, as it would without a name.
std::optional<Gateway::Mount> Gateway::mount_of(const Exchange& exchange) const {
  const auto& operation = exchange.operation;
  const auto text = oci::query_parameter(operation.query, "mount");
  const auto from = oci::query_parameter(operation.query, "from");
  auto digest = text ? oci::Digest::parse(*text) : std::nullopt;
  if (!digest || !from || !oci::is_repository_name(*from)) return std::nullopt;
  const auto target = route(exchange, *from);
  const bool is_there = target && target->registry == exchange.target.registry &&
                        target->policy->admits(target->remote_repository);
  if (!is_there || !may(exchange, *target, oci::Action::Pull)) return std::nullopt;
  return Mount{.digest = *std::move(digest), .from = target->remote_repository};
}

async::Task<> Gateway::respond_upload_begun(Exchange& exchange, cache::Source source,
                                            Result<upstream::ChangeAnswer> answer,
                                            std::optional<oci::Digest> digest) {
  const bool is_whole = answer && answer->status == 201;
  // A registry that does not take a blob by POST alone has thrown its bytes away.
  if (cache_.uploads != nullptr && !is_whole) cache_.uploads->drop(exchange.record.id);
  if (!answer) co_return co_await respond_error(exchange, answer.error());
  if (!answer->is_success()) co_return co_await respond_refused_change(exchange, *answer);
  if (is_whole) {
    co_return co_await respond_blob_pushed(exchange, std::move(source), *answer, exchange.record.id,
                                           std::move(digest));
  }
  if (answer->location.empty()) {
    co_return co_await respond_error(
        exchange, 502, oci::ErrorCode::Unavailable,
        exchange.target.registry + " does not say where the upload goes on");
  }
  exchange.record.upload = exchange.record.id;
  co_await respond_session(exchange, *answer,
                           {.owner = owner_of(exchange), .id = exchange.record.id});
}

// --- going on ---

async::Task<> Gateway::continue_upload(Exchange& exchange, const auth::Grant&) {
  auto opened = admission_.uploads.open(exchange.operation.reference.text, owner_of(exchange),
                                        admission_.clock.wall());
  if (!opened) co_return co_await respond_error(exchange, opened.error());
  auth::UploadSession session = *std::move(opened);
  exchange.record.upload = session.id;

  const std::string_view method = exchange.request.method;
  const bool is_end = method == "PUT";
  if (oci::is_repeated(exchange.operation.query, "digest")) {
    co_return co_await respond_error(exchange, 400, oci::ErrorCode::DigestInvalid,
                                     "digest can be said once only");
  }
  upstream::Change change{.method = exchange.operation.is_head ? "GET" : std::string(method),
                          .repository = exchange.target.remote_repository,
                          .url = session.url,
                          .is_elsewhere = session.is_elsewhere};
  const auto digest = oci::query_parameter(exchange.operation.query, "digest");
  if (is_end && digest) {
    change.url = with_parameter(std::move(change.url), "digest=" + oci::percent_encode(*digest));
  }
  if (is_end || method == "PATCH") add_body(exchange, session.id, change);

  const auto source = content_source(exchange, cache::ContentKind::Blob);  // before it is asked
  const bool has_body = change.stream != nullptr;
  const auto answer = co_await exchange.registry->change(std::move(change));
  const bool is_success = answer && answer->is_success();
  // Of a body that did not arrive in full nobody here knows how much did.
  const bool is_lost = !is_success && has_body;
  if (cache_.uploads != nullptr && (is_lost || method == "DELETE")) {
    cache_.uploads->drop(session.id);
  }
  if (!answer) co_return co_await respond_error(exchange, answer.error());
  if (!is_success) {
    auto head = make_head(exchange, answer->status);
    if (!answer->location.empty()) add_session(head, exchange, *answer, std::move(session));
    co_return co_await respond_refused_change(exchange, *answer, std::move(head));
  }
  if (is_end && answer->status != 202) {
    co_return co_await respond_blob_pushed(exchange, source, *answer, session.id,
                                           digest_parameter(exchange.operation.query));
  }
  if (method == "DELETE") {
    auto head = make_head(exchange, answer->status);
    if (!answer->upload_uuid.empty()) head.add("Docker-Upload-UUID", answer->upload_uuid);
    std::ignore = co_await exchange.responder.send(std::move(head), {});
    co_return;
  }
  if (method == "PATCH") {
    exchange.record.outcome = telemetry::Outcome::Push;
    const auto size = bytes_of_range(answer->range);
    if (cache_.uploads != nullptr && size) cache_.uploads->confirm(session.id, *size);
  }
  co_await respond_session(exchange, *answer, std::move(session));
}

// The request's body, if it has one, as what `change` sends. The attack: a body that the client
// calls a form, from which registries read parameters as they do from the query; `mount` and `from`
// would have our rights there.
void Gateway::add_body(Exchange& exchange, const std::string& upload, upstream::Change& change) {
  change.content_type = "application/octet-stream";
  change.content_range = exchange.request.find("Content-Range");
  change.stream_length = body_length(exchange.request);
  if (change.stream_length == 0) return;
  change.stream = std::make_shared<ClientBody>(exchange.responder);
  if (cache_.uploads != nullptr) {
    change.stream = cache_.uploads->keep(upload, std::move(change.stream));
  }
}

// --- answering ---

async::Task<> Gateway::respond_session(Exchange& exchange, const upstream::ChangeAnswer& answer,
                                       auth::UploadSession session) {
  auto head = make_head(exchange, answer.status);
  add_session(head, exchange, answer, std::move(session));
  if (!answer.range.empty()) head.add("Range", answer.range);
  if (!answer.chunk_min_length.empty()) {
    head.add("OCI-Chunk-Min-Length", answer.chunk_min_length);
  }
  co_await exchange.responder.send(std::move(head), {});
}

// Where it goes on.
void Gateway::add_session(http::ResponseHead& head, const Exchange& exchange,
                          const upstream::ChangeAnswer& answer, auth::UploadSession session) const {
  if (!answer.location.empty()) session.url = answer.location;
  session.is_elsewhere = session.is_elsewhere || answer.is_from_elsewhere;
  // A path: it leads to where the client is, whatever stands in front of us.
  std::string location =
      path_under(exchange, kUploads) + admission_.uploads.seal(session, admission_.clock.wall());
  if (!exchange.operation.name_space.empty()) {
    location += "?ns=" + oci::percent_encode(exchange.operation.name_space);
  }
  head.add("Location", location);
  if (!answer.upload_uuid.empty()) head.add("Docker-Upload-UUID", answer.upload_uuid);
}

async::Task<> Gateway::respond_blob_pushed(Exchange& exchange, cache::Source source,
                                           const upstream::ChangeAnswer& answer, std::string upload,
                                           std::optional<oci::Digest> digest) {
  const auto told = oci::Digest::parse(answer.digest);
  // What the registry says that it has, it has; what the client says, only where that is no other.
  const bool is_other =
      told && digest && told->algorithm() == digest->algorithm() && *told != *digest;
  if (is_other || !digest) digest = told;
  if (cache_.uploads != nullptr && digest && !is_other) {
    std::ignore = co_await cache_.uploads->finish(std::move(upload), source, *digest);
  } else if (cache_.uploads != nullptr) {
    cache_.uploads->drop(upload);
  }
  if (told || digest) changes_.blob_pushed(source, told ? *told : *digest);
  exchange.record.outcome = telemetry::Outcome::Push;
  if (digest) exchange.record.digest = digest->str();
  auto head = make_head(exchange, answer.status);
  if (digest) head.add("Location", path_under(exchange, "blobs/" + digest->str()));
  if (told) head.add("Docker-Content-Digest", told->str());
  co_await exchange.responder.send(std::move(head), {});
}

}  // namespace fairlead::gateway
