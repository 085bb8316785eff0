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

auth::UploadOwner owner_of(const Exchange& exchange) {
  return {.registry = exchange.target.registry,
          .repository = exchange.target.remote_repository,
          .name = exchange.target.name,
          .caller = auth::label_of(*exchange.caller)};
}

std::string path_under(const Exchange& exchange, std::string_view rest) {
  return "/v2/" + exchange.operation.repository + "/" + std::string(rest);
}

// The parameters of a POST that are passed on as they are: all but those of a mount.
std::string without_mount(std::string_view query) {
  std::string rest;
  for (oci::QueryReader reader(query); reader.next();) {
    if (reader.has_name("mount") || reader.has_name("from")) continue;
    if (!rest.empty()) rest += '&';
    rest += reader.raw();
  }
  return rest;
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
  const std::string query = without_mount(exchange.operation.query);
  upstream::Change change{.method = "POST",
                          .repository = exchange.target.remote_repository,
                          .path = std::string(kUploads) + (query.empty() ? "" : "?" + query)};
  add_body(exchange, exchange.record.id, change);
  auto answer = co_await exchange.registry->change(std::move(change));
  co_await respond_upload_begun(exchange, source, std::move(answer), digest_parameter(query));
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
  if (!answer) co_return co_await respond_error(exchange, answer.error());
  if (!answer->is_success()) co_return co_await respond_refused_change(exchange, *answer);
  if (answer->status == 201) {
    co_return co_await respond_blob_pushed(exchange, std::move(source), *answer, exchange.record.id,
                                           std::move(digest));
  }
  exchange.record.upload = exchange.record.id;
  // A registry that does not take a blob by POST alone has thrown its bytes away.
  if (cache_.uploads != nullptr) cache_.uploads->drop(exchange.record.id);
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
  upstream::Change change{.method = exchange.operation.is_head ? "GET" : std::string(method),
                          .repository = exchange.target.remote_repository,
                          .url = session.url};
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
  if (!is_success) co_return co_await respond_refused_change(exchange, *answer);
  if (is_end && answer->status != 202) {
    co_return co_await respond_blob_pushed(exchange, source, *answer, session.id,
                                           digest_parameter(exchange.operation.query));
  }
  if (method == "DELETE") co_return co_await respond_empty(exchange, answer->status);
  if (method == "PATCH") {
    exchange.record.outcome = telemetry::Outcome::Push;
    const auto size = bytes_of_range(answer->range);
    if (cache_.uploads != nullptr && size) cache_.uploads->confirm(session.id, *size);
  }
  co_await respond_session(exchange, *answer, std::move(session));
}

// The request's body, if it has one, as what `change` sends.
void Gateway::add_body(Exchange& exchange, const std::string& upload, upstream::Change& change) {
  change.content_type = exchange.request.find("Content-Type");
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
  if (!answer.location.empty()) session.url = answer.location;
  auto head = make_head(exchange, answer.status);
  // A path: it leads to where the client is, whatever stands in front of us.
  std::string location =
      path_under(exchange, kUploads) + admission_.uploads.seal(session, admission_.clock.wall());
  if (!exchange.operation.name_space.empty()) {
    location += "?ns=" + oci::percent_encode(exchange.operation.name_space);
  }
  head.add("Location", location);
  const auto pass = [&head](std::string_view name, const std::string& value) {
    if (!value.empty()) head.add(name, value);
  };
  pass("Range", answer.range);
  pass("Docker-Upload-UUID", answer.upload_uuid);
  pass("OCI-Chunk-Min-Length", answer.chunk_min_length);
  co_await exchange.responder.send(std::move(head), {});
}

async::Task<> Gateway::respond_blob_pushed(Exchange& exchange, cache::Source source,
                                           const upstream::ChangeAnswer& answer, std::string upload,
                                           std::optional<oci::Digest> digest) {
  const auto told = oci::Digest::parse(answer.digest);
  if (!digest) digest = told;
  if (digest) {
    if (cache_.uploads != nullptr) {
      std::ignore = co_await cache_.uploads->finish(std::move(upload), source, *digest);
    }
    changes_.blob_pushed(source, *digest);
    if (told && *told != *digest) changes_.blob_pushed(source, *told);
  }
  exchange.record.outcome = telemetry::Outcome::Push;
  if (digest) exchange.record.digest = digest->str();
  auto head = make_head(exchange, answer.status);
  if (digest) head.add("Location", path_under(exchange, "blobs/" + digest->str()));
  if (told) head.add("Docker-Content-Digest", told->str());
  co_await exchange.responder.send(std::move(head), {});
}

}  // namespace fairlead::gateway
