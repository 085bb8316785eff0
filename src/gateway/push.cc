// SPDX-License-Identifier: Apache-2.0
// Pushing manifests, and deleting what was pushed (OCI distribution-spec 1.1, "Pushing Manifests",
// "Content Management"). What the registry has confirmed takes effect in the cache before the
// client hears of it. Blobs: upload.cc.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/client_body.h"
#include "gateway/error_meaning.h"
#include "gateway/gateway.h"
#include "gateway/respond.h"
#include "oci/manifest.h"
#include "oci/query.h"

namespace fairlead::gateway {
namespace {

constexpr std::chrono::seconds kMaxManifestTime{60};

Error too_large() {
  return client_error(Code::TooLarge, "a manifest may have 4 MiB at most").error();
}

Error too_many() {
  return {.code = Code::TooManyRequests,
          .origin = Origin::Client,
          .retry = Retry::Yes,
          .context = "too many manifests are being pushed at once",
          .retry_after = std::chrono::seconds(1)};
}

// A manifest goes on whole: the registry may have to be sent it twice, and its digest is needed.
// `share` grows with it, by what was promised at once.
async::Task<Result<std::string>> read_manifest(Exchange& exchange, ByteBudget::Share& share) {
  const std::uint64_t promised = body_length(exchange.request).value_or(0);
  if (promised > oci::kMaxManifestSize) co_return std::unexpected(too_large());
  if (!share.grow_to(promised)) co_return std::unexpected(too_many());
  ClientBody body(exchange.responder, std::chrono::steady_clock::now() + kMaxManifestTime);
  std::string text;
  for (;;) {
    const auto piece = co_await body.read();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) co_return text;
    if (text.size() + piece->size() > oci::kMaxManifestSize) {
      co_return std::unexpected(too_large());
    }
    if (!share.grow_to(text.size() + piece->size())) co_return std::unexpected(too_many());
    text += as_text(*piece);
  }
}

// The attack: what is called a form is read as one by some registries, parameters and all.
bool is_form(std::string_view media_type) {
  return media_type == "application/x-www-form-urlencoded" || media_type.starts_with("multipart/");
}

// The tags that are asked for besides the one in the path, written anew.
std::string query_of_tags(std::string_view query) {
  std::string out;
  for (oci::QueryReader reader(query); reader.next();) {
    const auto tag = reader.has_name("tag") ? reader.value() : std::nullopt;
    if (!tag) continue;
    if (!out.empty()) out += '&';
    out.append("tag=").append(oci::percent_encode(*tag));
  }
  return out;
}

// Which tags mean it now: the one it was pushed by, and those that the registry says it took of the
// ones that were asked for by `tag` parameters.
std::vector<std::string> tags_of(const oci::Operation& operation,
                                 const upstream::ChangeAnswer& answer) {
  std::vector<std::string> tags;
  if (!operation.reference.is_digest()) tags.push_back(operation.reference.text);
  for (oci::QueryReader reader(operation.query); reader.next();) {
    const auto tag = reader.has_name("tag") ? reader.value() : std::nullopt;
    if (tag && std::ranges::find(answer.tags, *tag) != answer.tags.end()) tags.push_back(*tag);
  }
  return tags;
}

}  // namespace

async::Task<> Gateway::push_manifest(Exchange& exchange, const auth::Grant&) {
  const auto& operation = exchange.operation;
  const std::string content_type(exchange.request.find("Content-Type"));
  if (is_form(oci::bare_media_type(content_type))) {
    co_return co_await respond_error(exchange, 400, oci::ErrorCode::ManifestInvalid,
                                     "a form is no manifest");
  }
  auto share = manifest_bytes_.share();
  auto read = co_await read_manifest(exchange, share);
  if (!read) co_return co_await respond_error(exchange, read.error());
  const auto text = std::make_shared<const std::string>(*std::move(read));

  const auto source = content_source(exchange, cache::ContentKind::Manifest);  // before it is asked
  const auto answer = co_await exchange.registry->change(
      {.method = "PUT",
       .repository = exchange.target.remote_repository,
       .path =
           oci::with_query("manifests/" + operation.reference.text, query_of_tags(operation.query)),
       .content_type = content_type,
       .whole = text});
  if (!answer) co_return co_await respond_error(exchange, answer.error());
  if (!answer->is_success()) co_return co_await respond_refused_change(exchange, *answer);

  const auto told = oci::Digest::parse(answer->digest);
  const auto algorithm = operation.reference.digest ? operation.reference.digest->algorithm()
                         : told                     ? told->algorithm()
                                                    : oci::DigestAlgorithm::Sha256;
  const oci::Digest digest = told && told->algorithm() == algorithm
                                 ? *told
                                 : oci::digest_of(algorithm, as_byte_view(*text));
  co_await changes_.manifest_pushed(source, {.digest = digest,
                                             .media_type = oci::bare_media_type(content_type),
                                             .text = text,
                                             .tags = tags_of(operation, *answer)});
  exchange.record.outcome = telemetry::Outcome::Push;
  exchange.record.digest = digest.str();
  exchange.warning = answer->warning;
  auto head = make_head(exchange, answer->status);
  head.add("Location", "/v2/" + operation.repository + "/manifests/" + digest.str());
  head.add("Docker-Content-Digest", digest.str());
  if (!answer->subject.empty()) head.add("OCI-Subject", answer->subject);
  for (const std::string& tag : answer->tags) head.add("OCI-Tag", tag);
  co_await exchange.responder.send(std::move(head), {});
}

async::Task<> Gateway::delete_content(Exchange& exchange, const auth::Grant&) {
  const auto& operation = exchange.operation;
  const bool is_manifest = operation.kind == oci::Kind::Manifest;
  const auto answer = co_await exchange.registry->change(
      {.method = "DELETE",
       .repository = exchange.target.remote_repository,
       .path = (is_manifest ? "manifests/" : "blobs/") + operation.reference.text});
  if (!answer) co_return co_await respond_error(exchange, answer.error());
  // What the registry does not have, we do not have either. The attack: one caller of a relayed
  // registry, from whom it hides what it has, takes it from the others.
  const bool is_gone = answer->is_success() || (answer->status == 404 && !exchange.is_relayed);
  const auto source = content_source(
      exchange, is_manifest ? cache::ContentKind::Manifest : cache::ContentKind::Blob);
  if (is_gone && !is_manifest) {
    changes_.blob_deleted(source, *operation.reference.digest);
  } else if (is_gone && operation.reference.is_digest()) {
    co_await changes_.manifest_deleted(source, *operation.reference.digest);
  } else if (is_gone) {
    co_await changes_.tag_deleted(source, operation.reference.text);
  }
  if (!answer->is_success()) co_return co_await respond_refused_change(exchange, *answer);
  exchange.record.outcome = telemetry::Outcome::Delete;
  exchange.warning = answer->warning;
  co_await respond_empty(exchange, answer->status);
}

}  // namespace fairlead::gateway
