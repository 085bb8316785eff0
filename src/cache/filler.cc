// SPDX-License-Identifier: Apache-2.0
// Writing comes before hashing: readers follow the file while the same piece is being hashed.
#include "cache/filler.h"

#include <string>
#include <utility>

#include "cache/cooldown.h"
#include "cache/keep.h"
#include "cache/knowledge.h"
#include "cache/manifest_names.h"
#include "cache/resuming_download.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

// Smaller pieces are written and hashed at once: changing threads would take longer.
constexpr std::size_t kWorthAThread = 32 * 1024;

struct Filling {
  Filling(Services& with, Fill& of) : services(with), fill(of), hash(of.digest().algorithm()) {}

  Services& services;
  Fill& fill;
  std::unique_ptr<ResumingDownload> download;
  oci::Hasher hash;  // of all that was written
  std::uint64_t written = 0;
};

FillState end_state(const Error& error) {
  if (error.code == Code::Cancelled) return FillState::Abandoned;
  if (error.code == Code::Corrupt || error.code == Code::TooLarge) return FillState::Unusable;
  return FillState::Retryable;
}

std::string describe(const Fill& fill) {
  return fill.source().registry_name + "/" + fill.source().repository + "@" + fill.digest().str();
}

void fail(Filling& f, Error error, bool is_of_bucket = false) {
  const FillState state = end_state(error);
  // What is wrong in the bucket is told by who removes it there.
  if (state == FillState::Unusable && !is_of_bucket) {
    f.services.log.warn("upstream sent unusable content; nothing was kept",
                        {{"content", describe(f.fill)}, {"error", error.context}});
  }
  f.fill.fail(state, std::move(error));
}

// `reached` bytes are known to be there: those written and those that could not be.
void stop_storing(Filling& f, std::uint64_t reached, const Error& error) {
  const auto& head = f.download->head();
  report_not_stored(f.services, f.fill.digest(), describe(f.fill), head.size.value_or(reached),
                    error);
  f.fill.stop_storing(head.size, head.media_type, f.written, std::move(f.hash));
}

bool is_over_limit(const Filling& f, std::uint64_t size) {
  return f.fill.source().kind == ContentKind::Manifest && size > oci::kMaxManifestSize;
}

Error over_limit(const Filling& f) {
  return upstream_error(Code::TooLarge, Retry::No,
                        "manifest " + f.fill.digest().str() + " is larger than 4 MiB")
      .error();
}

// Opens the download and the file. False when the fill has come to its end already.
async::Task<bool> start(Filling& f) {
  auto download = co_await ResumingDownload::open(f.fill.source(), f.fill.digest());
  if (!download) {
    fail(f, std::move(download.error()));
    co_return false;
  }
  f.download = std::move(*download);
  const auto size = f.download->head().size;
  if (size && is_over_limit(f, *size)) {
    fail(f, over_limit(f));
    co_return false;
  }
  auto begin = [&f, size] { return f.services.store.begin(f.fill.digest(), size); };
  auto ingest = co_await f.services.pool.run(begin);
  if (!ingest) {
    stop_storing(f, 0, ingest.error());
    co_return false;
  }
  f.fill.begin(size, f.download->head().media_type, std::move(*ingest));
  co_return true;
}

// Writes one piece, shows it to the readers, hashes it.
Result<void> store_piece(Filling& f, ByteView piece) {
  if (auto stored = f.fill.ingest().write(piece); !stored) return stored;
  f.written += piece.size();
  f.fill.grow(f.written);
  f.hash.update(piece);
  return {};
}

// Takes all pieces. False when the fill has come to its end.
async::Task<bool> transfer(Filling& f) {
  for (;;) {
    auto piece = co_await f.download->read();
    if (!piece) {
      fail(f, std::move(piece.error()));
      co_return false;
    }
    if (piece->empty()) co_return true;
    if (is_over_limit(f, f.written + piece->size())) {
      fail(f, over_limit(f));
      co_return false;
    }
    auto store = [&f, bytes = *piece] { return store_piece(f, bytes); };
    const auto stored =
        piece->size() < kWorthAThread ? store() : co_await f.services.pool.run(store);
    if (!stored) {
      stop_storing(f, f.written + piece->size(), stored.error());
      co_return false;
    }
  }
}

async::Task<> finish(Filling& f) {
  const oci::Digest actual = f.hash.finish();
  if (actual != f.fill.digest()) {
    const bool is_of_bucket = f.download->doubt_bucket();
    fail(f,
         upstream_error(Code::Corrupt, Retry::No,
                        (is_of_bucket ? "the cache's bucket" : f.fill.source().registry_name) +
                            " sent " + actual.str() + " where " + f.fill.digest().str() +
                            " was asked for")
             .error(),
         is_of_bucket);
    co_return;
  }
  learn_content(f.services, f.fill.source(), actual, f.written, f.fill.media_type());
  ManifestNames names;
  std::string media_type;
  if (f.fill.source().kind == ContentKind::Manifest) {
    // The attack: a type of one registry's choosing, for content that another one has as well.
    auto parse = [&] {
      media_type = type_in_file(f.fill.ingest().fd(), f.written).value_or(f.fill.media_type());
      return names_in_file(f.fill.ingest().fd(), f.written);
    };
    names = co_await f.services.pool.run(parse);
    learn_children(f.services.index, f.fill.source(), actual, names.manifests);
  }
  // Readers may have the last byte now: that the content is right does not hang on our disk.
  f.fill.verify(f.written);
  auto commit = [&f, &names, &media_type] {
    return keep_ingest(f.services, f.fill.source(),
                       {.digest = f.fill.digest(),
                        .size = f.written,
                        .media_type = std::move(media_type),
                        .names = names.all()},
                       f.fill.ingest());
  };
  if (auto committed = co_await f.services.pool.run(commit); !committed) {
    f.fill.ingest().discard();
    f.services.log.warn("cannot keep content; the next pull fetches it again",
                        {{"content", describe(f.fill)}, {"error", committed.error().context}});
  }
}

}  // namespace

async::Task<> run_fill(Services& services, std::shared_ptr<Fill> fill) {
  Filling f(services, *fill);
  if (co_await start(f) && co_await transfer(f)) co_await finish(f);
  services.fills.remove(*fill);
}

}  // namespace fairlead::cache
