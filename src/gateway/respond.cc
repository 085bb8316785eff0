// SPDX-License-Identifier: Apache-2.0
#include "gateway/respond.h"

#include <utility>

#include "cache/freshness.h"
#include "gateway/challenge.h"
#include "gateway/condition.h"
#include "gateway/error_meaning.h"
#include "gateway/mapped_name.h"
#include "oci/error_document.h"
#include "oci/range.h"

namespace fairlead::gateway {
namespace {

constexpr std::string_view kOctets = "application/octet-stream";

// In the client's names. A capability has none that may be shown.
std::string shown_to_client(const Exchange& exchange, std::string_view text) {
  const bool is_secret = exchange.target.policy != nullptr && exchange.target.policy->is_capability;
  return rename_in_text(text, exchange.target.remote_repository,
                        is_secret ? "this repository" : exchange.operation.repository);
}

void add_content_fields(http::ResponseHead& head, const Exchange& exchange,
                        const oci::Digest& digest, const std::string& media_type) {
  const bool has_type = exchange.operation.kind == oci::Kind::Manifest && !media_type.empty();
  head.add("Content-Type", has_type ? std::string_view(media_type) : kOctets);
  head.add("Docker-Content-Digest", digest.str());
  head.add("ETag", entity_tag(digest));
}

bool is_not_modified(const Exchange& exchange, const oci::Digest& digest) {
  const std::string condition = exchange.request.find_all("If-None-Match");
  return !condition.empty() && matches_any(condition, entity_tag(digest));
}

async::Task<> respond_not_modified(Exchange& exchange, const oci::Digest& digest) {
  auto head = make_head(exchange, 304);
  head.add("Docker-Content-Digest", digest.str()).add("ETag", entity_tag(digest));
  co_await exchange.responder.send(std::move(head), {});
}

async::Task<Result<void>> send_piece(Exchange& exchange, const cache::Piece& piece) {
  if (piece.file >= 0) {
    co_return co_await exchange.responder.send_file(piece.file, piece.offset, piece.length);
  }
  co_return co_await exchange.responder.write(piece.bytes);
}

// As fast as the client's limit has it, in parts that are each paid for before the next.
async::Task<Result<void>> send_paced(Exchange& exchange, cache::Piece piece) {
  while (piece.length > 0) {
    cache::Piece part = piece;
    part.length = std::min<std::uint64_t>(piece.length, exchange.pace->piece());
    if (piece.file < 0) part.bytes = piece.bytes.first(part.length);
    const auto wait = exchange.pace->take_bytes(exchange.limit_key, part.length,
                                                std::chrono::steady_clock::now());
    if (wait.count() > 0) co_await async::sleep_for(wait);
    if (auto sent = co_await send_piece(exchange, part); !sent) co_return sent;
    piece.length -= part.length;
    piece.offset += part.length;
    if (piece.file < 0) piece.bytes = piece.bytes.subspan(part.length);
  }
  co_return Result<void>{};
}

// Sends what the reader gives. What goes wrong from here on only ends the body short.
async::Task<> send_pieces(Exchange& exchange, cache::ContentReader& reader) {
  for (;;) {
    auto piece = co_await reader.next();
    if (!piece) {
      exchange.record.error = piece.error().context;
      co_return;
    }
    if (piece->length == 0) break;
    const auto sent = exchange.pace == nullptr ? co_await send_piece(exchange, *piece)
                                               : co_await send_paced(exchange, *piece);
    if (!sent) {
      exchange.record.error = sent.error().context;
      co_return;
    }
  }
  co_await exchange.responder.end();
}

}  // namespace

http::ResponseHead make_head(const Exchange& exchange, int status) {
  http::ResponseHead head(status);
  head.add("Docker-Distribution-Api-Version", "registry/2.0");
  head.add("X-Request-Id", exchange.record.id);
  if (!exchange.operation.name_space.empty()) {
    head.add("OCI-Namespace", exchange.operation.name_space);
  }
  if (!exchange.warning.empty() && status < 400) head.add("Warning", exchange.warning);
  if (exchange.cors != nullptr) exchange.cors->add_headers(exchange.request, head);
  return head;
}

async::Task<> respond_error(Exchange& exchange, int status, oci::ErrorCode code,
                            std::string message) {
  exchange.record.error = message;
  auto head = make_head(exchange, status);
  head.add("Content-Type", "application/json");
  const std::string body = oci::write_error_document(code, message, exchange.record.id);
  co_await exchange.responder.send(std::move(head), body);
}

async::Task<> respond_method_not_allowed(Exchange& exchange, std::string_view allowed) {
  const std::string message = "this is for " + std::string(allowed);
  exchange.record.error = message;
  auto head = make_head(exchange, 405);
  head.add("Content-Type", "application/json").add("Allow", allowed);
  const std::string body =
      oci::write_error_document(oci::ErrorCode::Unsupported, message, exchange.record.id);
  co_await exchange.responder.send(std::move(head), body);
}

async::Task<> respond_too_many(Exchange& exchange, std::chrono::seconds wait) {
  co_await respond_error(exchange, Error{.code = Code::TooManyRequests,
                                         .origin = Origin::Client,
                                         .context = "too many requests from you",
                                         .retry_after = wait});
}

async::Task<> respond_refused(Exchange& exchange, std::string message) {
  co_await respond_error(exchange, 401, oci::ErrorCode::Unauthorized, std::move(message));
}

async::Task<> respond_error(Exchange& exchange, const Error& error) {
  const bool is_for_caller =
      exchange.is_relayed && error.origin == Origin::Upstream && error.code == Code::Unauthorized;
  if (is_for_caller) {
    // The upstream wants to know who the caller is, or no longer takes what it gave them.
    const auto why = exchange.registry_of_caller ? TokenError::InvalidToken : TokenError::None;
    co_return co_await respond_unauthorized(exchange, why,
                                            shown_to_client(exchange, error.context));
  }
  const Meaning meaning = meaning_of(error, exchange.operation.kind);
  exchange.record.error = error.context;
  auto head = make_head(exchange, meaning.status);
  head.add("Content-Type", "application/json");
  if (meaning.status == 429 || meaning.status == 503) {
    const auto pause =
        error.retry_after.value_or(std::chrono::seconds(meaning.status == 429 ? 60 : 1));
    head.add("Retry-After", std::to_string(pause.count()));
  }
  // What failed inside is for the log, where the id leads to it.
  const std::string message = meaning.status == 500
                                  ? "internal error; the gateway's log tells more under this id"
                                  : shown_to_client(exchange, error.context);
  const std::string body = oci::write_error_document(meaning.code, message, exchange.record.id);
  co_await exchange.responder.send(std::move(head), body);
}

async::Task<> respond_refused_change(Exchange& exchange, const upstream::ChangeAnswer& refusal) {
  const Meaning meaning = meaning_of(refusal, exchange.operation.kind);
  std::string message = refusal.error && !refusal.error->message.empty()
                            ? refusal.error->message
                            : "the registry answered " + std::to_string(refusal.status);
  exchange.record.error = message;
  auto head = make_head(exchange, meaning.status);
  head.add("Content-Type", "application/json");
  if (!refusal.range.empty()) head.add("Range", refusal.range);
  const std::string body = oci::write_error_document(
      meaning.code, shown_to_client(exchange, message), exchange.record.id);
  co_await exchange.responder.send(std::move(head), body);
}

async::Task<> respond_description(Exchange& exchange, const upstream::ContentHead& content) {
  if (is_not_modified(exchange, *content.digest)) {
    co_return co_await respond_not_modified(exchange, *content.digest);
  }
  auto head = make_head(exchange, 200);
  add_content_fields(head, exchange, *content.digest, content.media_type);
  if (exchange.operation.kind == oci::Kind::Blob) head.add("Accept-Ranges", "bytes");
  if (content.size) head.set_content_length(*content.size);
  exchange.responder.begin(std::move(head));
  co_await exchange.responder.end();
}

async::Task<> respond_content(Exchange& exchange, const cache::Content& content) {
  exchange.record.outcome = content.outcome();
  if (is_not_modified(exchange, content.digest())) {
    co_return co_await respond_not_modified(exchange, content.digest());
  }
  oci::RangeDecision decision;
  const std::string_view range = exchange.request.find("Range");
  if (!range.empty() && content.size() &&
      allows_range(exchange.request.find("If-Range"), entity_tag(content.digest()))) {
    decision = oci::decide_range(range, *content.size());
  }
  if (decision.outcome == oci::RangeOutcome::Unsatisfiable) {
    auto head = make_head(exchange, 416);
    head.add("Content-Range", "bytes */" + std::to_string(*content.size()));
    head.add("Content-Type", "application/json");
    exchange.record.error = "range not satisfiable";
    const std::string body = oci::write_error_document(
        oci::ErrorCode::RangeInvalid, "the range lies outside the content", exchange.record.id);
    co_await exchange.responder.send(std::move(head), body);
    co_return;
  }
  const bool is_partial = decision.outcome == oci::RangeOutcome::Partial;
  auto head = make_head(exchange, is_partial ? 206 : 200);
  add_content_fields(head, exchange, content.digest(), content.media_type());
  head.add("Accept-Ranges", "bytes");
  if (is_partial) {
    head.add("Content-Range", oci::content_range(decision.range, *content.size()));
    head.set_content_length(decision.range.length);
  } else if (content.size()) {
    head.set_content_length(*content.size());
  }
  cache::WantedRange wanted;
  if (is_partial) wanted = decision.range;
  const auto reader = content.read(wanted);
  exchange.record.first_byte = std::chrono::steady_clock::now() - exchange.started;
  exchange.responder.begin(std::move(head));
  // What is in the store goes out at once, head and bytes together; a client of a fill should see
  // the head before the bytes have come.
  if (content.outcome() != cache::Content::Outcome::Hit) {
    if (const auto flushed = co_await exchange.responder.flush(); !flushed) {
      exchange.record.error = flushed.error().context;
      co_return;
    }
  }
  co_await send_pieces(exchange, *reader);
}

async::Task<> respond_redirect(Exchange& exchange, const oci::Digest& digest,
                               std::string_view url) {
  if (is_not_modified(exchange, digest)) co_return co_await respond_not_modified(exchange, digest);
  exchange.record.outcome = telemetry::Outcome::Redirect;
  auto head = make_head(exchange, 307);
  head.add("Location", url);
  head.add("Docker-Content-Digest", digest.str());
  head.add("Cache-Control", "no-store");
  co_await exchange.responder.send(std::move(head), {});
}

void note_stale(Exchange& exchange) {
  exchange.record.freshness = cache::to_string(cache::Freshness::Stale);
  exchange.warning = R"(110 - "Response is Stale")";
}

async::Task<> respond_empty(Exchange& exchange, int status) {
  co_await exchange.responder.send(make_head(exchange, status), {});
}

async::Task<> respond_text(Exchange& exchange, int status, std::string_view media_type,
                           std::string_view body) {
  auto head = make_head(exchange, status);
  head.add("Content-Type", media_type);
  co_await exchange.responder.send(std::move(head), body);
}

}  // namespace fairlead::gateway
