// SPDX-License-Identifier: Apache-2.0
#include "cache/fetcher.h"

#include <chrono>
#include <string>
#include <utility>

#include "cache/filler.h"
#include "cache/knowledge.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

// A fill of somebody else's that fails is no answer for us: how often to try again.
constexpr int kMaxTries = 4;

// Longer than connecting with all retries and mirrors takes.
constexpr std::chrono::minutes kMaxStart{5};

bool is_ready(const Fill::Progress& now, ContentKind kind) {
  // A manifest is small, and its reader would rather have an error than half of it. Of an empty
  // content no last byte can be held back: its head alone would be a complete answer.
  if (now.state == FillState::Filling) return kind == ContentKind::Blob && now.size != 0;
  return now.state == FillState::Committed || now.state == FillState::Unstorable;
}

// Until `fill` can be read, or has failed.
async::Task<Result<void>> wait_until_ready(Fill& fill, ContentKind kind) {
  const auto deadline = std::chrono::steady_clock::now() + kMaxStart;
  for (;;) {
    const auto seen = fill.version();
    const auto now = fill.progress();
    if (is_ready(now, kind)) co_return Result<void>{};
    const bool is_under_way = now.state == FillState::Starting || now.state == FillState::Filling;
    if (!is_under_way) co_return std::unexpected(fill.error());
    if (!co_await fill.wait(seen, deadline)) {
      co_return upstream_error(Code::Timeout, Retry::Yes,
                               fill.source().registry_name + " did not answer in time");
    }
  }
}

}  // namespace

bool Fetcher::is_known(const Source& source, const oci::Digest& digest) const {
  if (!services_.index.has_link(source.registry_name, source.repository, digest)) return false;
  // Any stored blob could be asked for as a manifest: it must be known to be one.
  if (source.kind == ContentKind::Blob) return true;
  const auto known = services_.index.content(digest);
  return known && !known->media_type.empty();
}

async::Task<Result<void>> Fetcher::confirm_link(const Source& source, const oci::Digest& digest) {
  if (is_known(source, digest)) co_return Result<void>{};
  auto head =
      source.kind == ContentKind::Manifest
          ? co_await source.registry->head_manifest(source.repository, digest.str(), source.accept)
          : co_await source.registry->head_blob(source.repository, digest);
  if (!head) co_return std::unexpected(std::move(head.error()));
  learn_content(services_.index, source, digest, head->size.value_or(0), head->media_type);
  co_return Result<void>{};
}

async::Task<Result<std::optional<Content>>> Fetcher::stored(const Source& source,
                                                            const oci::Digest& digest) {
  auto file = services_.store.open(digest);
  if (!file) {
    services_.log.warn("cannot read the store; fetching from upstream",
                       {{"error", file.error().context}});
    co_return std::nullopt;
  }
  if (!*file) co_return std::nullopt;
  if (auto confirmed = co_await confirm_link(source, digest); !confirmed) {
    co_return std::unexpected(std::move(confirmed.error()));
  }
  std::string media_type;
  if (source.kind == ContentKind::Manifest) {
    const auto known = services_.index.content(digest);
    if (!known) co_return std::nullopt;  // the upstream names no type: fetch it again
    media_type = known->media_type;
  }
  co_return Content(digest, std::move(media_type), std::move(**file));
}

async::Task<Result<Content>> Fetcher::fetch(Source source, oci::Digest digest) {
  Error last;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    auto hit = co_await stored(source, digest);
    if (!hit) co_return std::unexpected(std::move(hit.error()));
    if (*hit) co_return std::move(**hit);

    if (const auto other = services_.fills.find(digest, source.kind);
        other && !other->source().has_same_authority(source)) {
      if (auto confirmed = co_await confirm_link(source, digest); !confirmed) {
        co_return std::unexpected(std::move(confirmed.error()));
      }
    }
    auto [fill, is_new] = services_.fills.join_or_begin(digest, source);
    if (is_new) {
      // A fill that ended between the look into the store and the one into the table.
      if (auto file = services_.store.open(digest);
          file && *file && source.kind == ContentKind::Blob && is_known(source, digest)) {
        fill->fail(FillState::Superseded, Error{.code = Code::Cancelled, .context = "superseded"});
        services_.fills.remove(*fill);
        co_return Content(digest, {}, std::move(**file));
      }
      if (!services_.tasks.spawn(co_await async::kThisExecutor, run_fill(services_, fill))) {
        fill->fail(FillState::Abandoned,
                   Error{.code = Code::Cancelled, .context = "shutting down"});
        services_.fills.remove(*fill);
      }
    } else if (!fill->source().has_same_authority(source) && !is_known(source, digest)) {
      continue;  // somebody else's, begun just now: confirm our own right first
    }
    const auto ready = co_await wait_until_ready(*fill, source.kind);
    if (ready) {
      const bool is_kept = fill->progress().state != FillState::Unstorable;
      const auto outcome = !is_kept ? Content::Outcome::Stream
                                    : (is_new ? Content::Outcome::Fill : Content::Outcome::Join);
      co_return Content(std::move(fill), std::move(source), outcome);
    }
    last = ready.error();
    if (fill->progress().state == FillState::Superseded) continue;  // it is stored by now
    // What our own repository, or the same bytes, answered to another request holds for us too.
    if (is_new || fill->source().has_same_authority(source)) break;
  }
  co_return std::unexpected(std::move(last));
}

async::Task<Result<upstream::ContentHead>> Fetcher::describe(Source source, oci::Digest digest) {
  if (is_known(source, digest)) {
    if (auto file = services_.store.open(digest); file && *file) {
      upstream::ContentHead head;
      head.digest = digest;
      head.size = (*file)->size;
      if (const auto known = services_.index.content(digest)) head.media_type = known->media_type;
      co_return head;
    }
  }
  auto head =
      source.kind == ContentKind::Manifest
          ? co_await source.registry->head_manifest(source.repository, digest.str(), source.accept)
          : co_await source.registry->head_blob(source.repository, digest);
  if (head) {
    head->digest = digest;
    learn_content(services_.index, source, digest, head->size.value_or(0), head->media_type);
  }
  co_return head;
}

async::Task<Result<upstream::ContentHead>> Fetcher::resolve(Source source, std::string tag) {
  auto head = co_await source.registry->head_manifest(source.repository, tag, source.accept);
  if (!head && head.error().code == Code::Unsupported) co_return upstream::ContentHead{};
  // A HEAD that binds a tag to a digest counts for the GET by digest that clients send next.
  if (head && head->digest) {
    learn_content(services_.index, source, *head->digest, head->size.value_or(0), head->media_type);
  }
  co_return head;
}

async::Task<Result<Content>> Fetcher::fetch_tag(Source source, std::string tag) {
  auto download = co_await source.registry->get_manifest(source.repository, tag, source.accept);
  if (!download) co_return std::unexpected(std::move(download.error()));
  std::string text;
  for (;;) {
    auto piece = co_await download->body->read();
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (piece->empty()) break;
    if (text.size() + piece->size() > oci::kMaxManifestSize) {
      co_return upstream_error(Code::TooLarge, Retry::No,
                               "manifest " + tag + " of " + source.registry_name + "/" +
                                   source.repository + " is larger than 4 MiB");
    }
    text += as_text(*piece);
  }
  const auto& claimed = download->head.digest;
  const auto algorithm = claimed ? claimed->algorithm() : oci::DigestAlgorithm::Sha256;
  const oci::Digest digest = oci::digest_of(algorithm, as_byte_view(text));
  if (claimed && *claimed != digest) {
    co_return upstream_error(
        Code::Corrupt, Retry::No,
        source.registry_name + " sent " + digest.str() + " and called it " + claimed->str());
  }
  std::string media_type = download->head.media_type;
  if (!oci::is_manifest_media_type(media_type)) {
    // Without a digest to check against, a login page or the like must not pass for a manifest.
    auto manifest = oci::parse_manifest(text);
    if (!manifest) {
      co_return upstream_error(
          Code::Corrupt, Retry::No,
          source.registry_name + " answered " + tag + " with something that is not a manifest");
    }
    if (media_type.empty()) media_type = std::move(manifest->media_type);
  }
  learn_content(services_.index, source, digest, text.size(), media_type);
  const auto kept = co_await keep(source, digest, text);
  const auto outcome = kept ? Content::Outcome::Fill : Content::Outcome::Stream;
  co_return Content(digest, std::move(media_type), std::move(text), outcome);
}

async::Task<Result<void>> Fetcher::keep(const Source& source, const oci::Digest& digest,
                                        std::string_view text) {
  auto write = [this, &digest, text]() -> Result<void> {
    auto ingest = services_.store.begin(digest, text.size());
    if (!ingest) return std::unexpected(std::move(ingest.error()));
    if (auto written = (*ingest)->write(as_byte_view(text)); !written) return written;
    return (*ingest)->commit();
  };
  auto kept = co_await services_.pool.run(write);
  if (!kept) {
    services_.log.warn(
        "cannot store content; pulls go on without the cache",
        {{"content", source.repository + "@" + digest.str()}, {"error", kept.error().context}});
  }
  co_return kept;
}

}  // namespace fairlead::cache
