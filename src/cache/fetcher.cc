// SPDX-License-Identifier: Apache-2.0
#include "cache/fetcher.h"

#include <chrono>
#include <string>
#include <utility>

#include "cache/filler.h"
#include "cache/knowledge.h"
#include "cache/resolver.h"

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

// Whether the bytes of a fill are this source's as well, as far as its own registry has said: not
// when they were asked for before they were deleted there.
bool Fetcher::may_share(const Fill& fill, const Source& source) const {
  const Source& asker = fill.source();
  if (!asker.has_same_authority(source)) return false;
  return services_.checks.recent().last(holding_of(source, fill.digest())) <=
         asker.asked.value_or(0);
}

// What the upstream tells of it: by HEAD, else by the beginning of a GET.
async::Task<Result<upstream::ContentHead>> Fetcher::ask(const Source& source,
                                                        const oci::Digest& digest) {
  const bool is_manifest = source.kind == ContentKind::Manifest;
  auto head = is_manifest ? co_await source.registry->head_manifest(source.repository, digest.str(),
                                                                    source.accept)
                          : co_await source.registry->head_blob(source.repository, digest);
  if (!head && head.error().code == Code::Unsupported) {
    auto download =
        is_manifest
            ? co_await source.registry->get_manifest(source.repository, digest.str(), source.accept)
            : co_await source.registry->get_blob(source.repository, digest, 0, 1);
    if (!download) co_return std::unexpected(std::move(download.error()));
    head = std::move(download->head);
  }
  if (!head) co_return head;
  head->digest = digest;
  learn_content(services_, source, digest, head->size.value_or(0), head->media_type);
  co_return head;
}

async::Task<Result<void>> Fetcher::confirm_link(const Source& source, const oci::Digest& digest) {
  if (is_known(source, digest)) co_return Result<void>{};
  auto head = co_await ask(source, digest);
  if (!head) co_return std::unexpected(std::move(head.error()));
  co_return Result<void>{};
}

void Fetcher::note_use(const oci::Digest& digest) {
  services_.index.touch(digest, services_.clock.wall());
  if (services_.bucket != nullptr) services_.bucket->note_use(digest);
}

// What the cache's bucket has of it, if this source's callers may have that.
async::Task<std::optional<InBucket>> Fetcher::find_in_bucket(Source source, oci::Digest digest) {
  if (source.bucket == nullptr) co_return std::nullopt;
  auto found = co_await source.bucket->find(digest);
  const bool is_manifest = source.kind == ContentKind::Manifest;
  if (!found || (is_manifest && found->media_type.empty())) co_return std::nullopt;
  // Who may not have it is told so by who is asked for it next: the upstream.
  if (const auto confirmed = co_await confirm_link(source, digest); !confirmed) {
    co_return std::nullopt;
  }
  const auto known = services_.index.content(digest);
  if (known && known->size > 0 && known->size != found->size) {
    source.bucket->doubt(digest);
    co_return std::nullopt;
  }
  services_.bucket->note_use(digest);
  co_return found;
}

async::Task<Result<std::optional<upstream::Location>>> Fetcher::locate(Source source,
                                                                       oci::Digest digest) {
  source.asked = services_.checks.recent().count();
  const auto found = co_await find_in_bucket(source, digest);
  if (!found) co_return std::nullopt;
  services_.index.touch(digest, services_.clock.wall());
  std::string type = source.kind == ContentKind::Manifest ? found->media_type : std::string();
  auto location = co_await source.bucket->locate(std::move(digest), std::move(type));
  if (!location) co_return std::unexpected(std::move(location.error()));
  co_return *std::move(location);
}

// What is not what the index says was altered or removed behind our back: fetched again.
async::Task<> Fetcher::repair(oci::Digest digest, std::optional<store::BlobFile> found) {
  services_.log.warn(found ? "stored content has another size than it had; fetching it again"
                           : "stored content is gone; fetching it again",
                     {{"content", digest.str()}});
  auto work = [&]() -> Result<void> {
    if (!found) {
      auto dropped = services_.bookkeeper.drop_row_without_file(digest);
      if (!dropped) return std::unexpected(std::move(dropped.error()));
      return {};
    }
    auto removed = services_.bookkeeper.remove_damaged(digest, *found);
    if (!removed) return std::unexpected(std::move(removed.error()));
    return {};
  };
  if (const auto repaired = co_await services_.pool.run(work); !repaired) {
    services_.log.warn("cannot remove damaged or lost content",
                       {{"error", repaired.error().context}});
  }
}

async::Task<std::optional<store::BlobFile>> Fetcher::open_stored(oci::Digest digest) {
  const auto known = services_.index.content(digest);
  if (!known || !known->is_stored) co_return std::nullopt;
  auto file = services_.store.open(digest);
  if (!file) {
    services_.log.warn("cannot read the store; fetching from upstream",
                       {{"error", file.error().context}});
    co_return std::nullopt;
  }
  if (*file && (*file)->size == known->size) co_return std::move(*file);
  co_await repair(std::move(digest), std::move(*file));
  co_return std::nullopt;
}

async::Task<Result<std::optional<Content>>> Fetcher::stored(const Source& source,
                                                            const oci::Digest& digest) {
  // Until a fill has left the table, what it has stored may not survive a crash: join it.
  if (services_.fills.find(digest, source.kind)) co_return std::nullopt;
  auto file = co_await open_stored(digest);
  if (!file) co_return std::nullopt;
  if (auto confirmed = co_await confirm_link(source, digest); !confirmed) {
    co_return std::unexpected(std::move(confirmed.error()));
  }
  std::string media_type;
  if (source.kind == ContentKind::Manifest) {
    const auto known = services_.index.content(digest);
    if (!known || known->media_type.empty()) co_return std::nullopt;  // not told: fetch it again
    media_type = known->media_type;
  }
  note_use(digest);
  co_return Content(digest, std::move(media_type), *std::move(file));
}

async::Task<Result<Content>> Fetcher::fetch(Source source, oci::Digest digest) {
  Error last;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    source.asked = services_.checks.recent().count();
    auto hit = co_await stored(source, digest);
    if (!hit) co_return std::unexpected(std::move(hit.error()));
    if (*hit) co_return std::move(**hit);

    const auto other = services_.fills.find(digest, source.kind);
    if (!other && source.bucket != nullptr) {
      source.is_in_bucket = (co_await find_in_bucket(source, digest)).has_value();
      // Meanwhile somebody else may have fetched it.
      hit = co_await stored(source, digest);
      if (hit && *hit) co_return std::move(**hit);
    }
    if (other && !may_share(*other, source)) {
      if (auto confirmed = co_await confirm_link(source, digest); !confirmed) {
        co_return std::unexpected(std::move(confirmed.error()));
      }
      if (!is_known(source, digest)) {
        co_return upstream_error(
            Code::Corrupt, Retry::No,
            source.registry_name + " does not tell the type of " + digest.str());
      }
    }
    auto [fill, is_new] = services_.fills.join_or_begin(digest, source);
    if (is_new) {
      // A fill that ended between the look into the store and the one into the table.
      if (auto file = co_await open_stored(digest);
          file && source.kind == ContentKind::Blob && is_known(source, digest)) {
        fill->fail(FillState::Superseded, Error{.code = Code::Cancelled, .context = "superseded"});
        services_.fills.remove(*fill);
        co_return Content(digest, {}, *std::move(file));
      }
      if (!services_.tasks.spawn(co_await async::kThisExecutor, run_fill(services_, fill))) {
        fill->fail(FillState::Abandoned,
                   Error{.code = Code::Cancelled, .context = "shutting down"});
        services_.fills.remove(*fill);
      }
    } else if (!may_share(*fill, source) && !is_known(source, digest)) {
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
    // The bucket held something else under this digest: it is not asked for it again so soon.
    if (fill->source().is_in_bucket && last.code == Code::Corrupt) continue;
    // What our own repository, or the same bytes, answered to another request holds for us too.
    if (is_new || fill->source().has_same_authority(source)) break;
  }
  co_return std::unexpected(std::move(last));
}

async::Task<Result<upstream::ContentHead>> Fetcher::describe(Source source, oci::Digest digest) {
  source.asked = services_.checks.recent().count();
  if (is_known(source, digest)) {
    if (const auto file = co_await open_stored(digest)) {
      upstream::ContentHead head;
      head.digest = digest;
      head.size = file->size;
      if (const auto known = services_.index.content(digest)) head.media_type = known->media_type;
      note_use(digest);
      co_return head;
    }
    if (auto found = co_await find_in_bucket(source, digest)) {
      co_return upstream::ContentHead{
          .digest = digest, .size = found->size, .media_type = std::move(found->media_type)};
    }
  }
  co_return co_await ask(source, digest);
}

async::Task<Result<upstream::ContentHead>> Fetcher::describe_anew(Source source,
                                                                  oci::Digest digest) {
  RecentChanges& recent = services_.checks.recent();
  const std::uint64_t asked = recent.count();
  source.asked = asked;
  auto told = co_await ask(source, digest);
  if (told) co_return told;
  if (told.error().code == Code::NotFound) {
    recent.unless_changed(holding_of(source, digest), asked, [&] {
      services_.index.remove_link(source.registry_name, source.repository, digest);
    });
  }
  if (!is_no_answer(told.error())) co_return told;
  co_return co_await describe(std::move(source), std::move(digest));
}

}  // namespace fairlead::cache
