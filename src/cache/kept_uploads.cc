// SPDX-License-Identifier: Apache-2.0
#include "cache/kept_uploads.h"

#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "cache/keep.h"
#include "cache/knowledge.h"
#include "cache/quiet_read.h"
#include "cache/services.h"
#include "cache/upload_table.h"

namespace fairlead::cache {
namespace {

// Smaller pieces are written and hashed at once: changing threads would take longer.
constexpr std::size_t kWorthAThread = 32 * 1024;

// Of all that are kept. The attack: uploads without end that are never ended.
std::uint64_t max_bytes(Services& services) {
  const std::uint64_t limit = services.space.limit().bytes();
  return limit > 0 ? limit : KeptUploads::kMaxBytes;
}

// `size` bytes were not taken. Where the disk is full, nobody who keeps house is told: what is
// pushed is not to drive out what others have. Those that were idle longest make room for the next.
void report(Services& services, UploadTable& uploads, std::uint64_t size, const Error& error) {
  SizeLimit& limit = services.space.limit();
  if (error.code == Code::NoSpace && limit.is_exceeded_by(size)) {
    services.log.info("what is pushed is larger than cache.max_size; it is not kept",
                      {{"bytes", static_cast<std::int64_t>(size)},
                       {"max_size", static_cast<std::int64_t>(limit.bytes())}});
    return;
  }
  if (error.code == Code::NoSpace) std::ignore = uploads.make_room(size);
  services.log.warn("cannot keep what is pushed; the push goes on without the cache",
                    {{"error", error.context}});
}

// Whether it is stored; else `kept` is of no use. Blocks.
bool store_piece(Services& services, UploadTable& uploads, KeptBytes& kept, ByteView piece) {
  const auto stored = [&]() -> Result<void> {
    if (!kept.ingest) {
      auto ingest = services.store.begin_unnamed();
      if (!ingest) return std::unexpected(std::move(ingest.error()));
      kept.ingest = *std::move(ingest);
    }
    return kept.ingest->write(piece);
  }();
  if (!stored) {
    report(services, uploads, kept.size + piece.size(), stored.error());
    return false;
  }
  kept.hash.update(piece);
  kept.count(piece.size());
  // This one as well, when all others are gone.
  const std::uint64_t bytes = uploads.bytes();
  const std::uint64_t most = max_bytes(services);
  if (bytes > most) std::ignore = uploads.make_room(bytes - most);
  return true;
}

class KeepingBody final : public upstream::Body {
 public:
  KeepingBody(Services& services, std::shared_ptr<UploadTable> uploads,
              std::shared_ptr<Upload> upload, std::shared_ptr<upstream::Body> from)
      : services_(services),
        uploads_(std::move(uploads)),
        upload_(std::move(upload)),
        from_(std::move(from)) {}

  async::Task<Result<ByteView>> read() override {
    auto piece = co_await from_->read();
    if (!upload_ || !piece || piece->empty()) co_return piece;
    auto kept = upload_->take(services_.clock.steady());
    if (!kept) {
      upload_.reset();
      co_return piece;
    }
    const bool is_quick = kept->ingest && piece->size() < kWorthAThread &&
                          uploads_->bytes() + piece->size() <= max_bytes(services_);
    auto store = [&] {
      if (!store_piece(services_, *uploads_, *kept, *piece)) {
        kept.reset();
        upload_->drop();
        return false;
      }
      upload_->give_back(std::move(kept), services_.clock.steady());
      return true;
    };
    const bool is_stored = is_quick ? store() : co_await services_.pool.run(store);
    if (!is_stored) upload_.reset();
    co_return piece;
  }

 private:
  Services& services_;
  const std::shared_ptr<UploadTable> uploads_;
  std::shared_ptr<Upload> upload_;  // null: it is dropped
  std::shared_ptr<upstream::Body> from_;
};

// nullopt: the file cannot be read.
std::optional<oci::Digest> digest_of_file(int file, oci::DigestAlgorithm algorithm) {
  oci::Hasher hash(algorithm);
  std::vector<std::byte> buffer(256 * 1024);
  for (std::uint64_t at = 0;;) {
    const auto read = read_quietly(file, buffer, at);
    if (!read) return std::nullopt;
    hash.update(ByteView(buffer).first(*read));
    at += *read;
    if (*read < buffer.size()) return hash.finish();
  }
}

// Whether it is in the store already. It is in use while `file` lives.
bool is_stored(Services& services, const oci::Digest& digest,
               Result<std::optional<store::BlobFile>>& file) {
  const auto known = services.index.content(digest);
  if (!known || !known->is_stored) return false;
  file = services.store.open(digest);
  return file && *file && (*file)->size == known->size;
}

// Whether it is verified and stored now. Nothing else is left of it. Blocks.
bool publish(Services& services, UploadTable& uploads, const Source& source,
             const oci::Digest& digest, KeptBytes& kept) {
  const auto ingest = std::move(kept.ingest);
  const bool is_sha256 = digest.algorithm() == oci::DigestAlgorithm::Sha256;
  const auto actual =
      is_sha256 ? kept.hash.finish() : digest_of_file(ingest->fd(), digest.algorithm());
  if (actual != digest) {
    services.log.info("what passed of a push is not all that the registry has; it is not kept",
                      {{"content", digest.str()}});
    return false;
  }
  Result<std::optional<store::BlobFile>> file;
  if (is_stored(services, digest, file)) {
    learn_link(services, source, digest);
    services.index.touch(digest, services.clock.wall());
    return true;
  }
  ingest->name(digest);
  const auto published =
      keep_ingest(services, source, {.digest = digest, .size = kept.size}, *ingest);
  if (!published) report(services, uploads, kept.size, published.error());
  return published.has_value();
}

}  // namespace

KeptUploads::KeptUploads(Services& services)
    : services_(services), uploads_(std::make_shared<UploadTable>(kMaxUploads)) {}

KeptUploads::~KeptUploads() { uploads_->drop_before(SteadyTime::max()); }

std::shared_ptr<upstream::Body> KeptUploads::keep(const std::string& upload,
                                                  std::shared_ptr<upstream::Body> from) {
  const SteadyTime now = services_.clock.steady();
  if (!uploads_->find(upload)) uploads_->drop_before(now - kMaxPause);
  return std::make_shared<KeepingBody>(services_, uploads_, uploads_->find_or_add(upload, now),
                                       std::move(from));
}

void KeptUploads::confirm(const std::string& upload, std::uint64_t size) {
  if (const auto known = uploads_->find(upload); known && !known->has(size)) known->drop();
}

void KeptUploads::drop(const std::string& upload) {
  if (const auto known = uploads_->extract(upload)) known->drop();
}

void KeptUploads::drop_idle() { uploads_->drop_before(services_.clock.steady() - kMaxPause); }

std::uint64_t KeptUploads::make_room(std::uint64_t bytes) { return uploads_->make_room(bytes); }

async::Task<std::uint64_t> KeptUploads::finish(std::string upload, Source source,
                                               oci::Digest digest) {
  Services& services = services_;
  const auto uploads = uploads_;
  const auto known = uploads->extract(upload);
  if (!known) co_return 0;
  auto kept = known->take(services.clock.steady());
  known->drop();  // also where a Body is at it still
  if (!kept || !kept->ingest) co_return 0;
  source.kind = ContentKind::Blob;
  auto work = [&] { return publish(services, *uploads, source, digest, *kept); };
  const bool is_kept = co_await services.pool.run(work);
  co_return is_kept ? kept->size : 0;
}

}  // namespace fairlead::cache
