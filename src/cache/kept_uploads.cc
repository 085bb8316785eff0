// SPDX-License-Identifier: Apache-2.0
// Who writes to the file of an upload takes it, and gives it back after each piece: so nothing that
// blocks happens behind a lock, and what is dropped meanwhile is not taken back.
#include "cache/kept_uploads.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache/keep.h"
#include "cache/knowledge.h"
#include "cache/quiet_read.h"
#include "cache/services.h"

namespace fairlead::cache {
namespace {

// Smaller pieces are written and hashed at once: changing threads would take longer.
constexpr std::size_t kWorthAThread = 32 * 1024;

struct Kept {
  std::unique_ptr<store::Ingest> ingest;  // null: nothing came yet
  oci::Hasher hash{oci::DigestAlgorithm::Sha256};
  std::uint64_t size = 0;
};

// Thread-safe.
class Upload {
 public:
  explicit Upload(SteadyTime now) : last_use_(now) {}

  // nullopt: it is dropped; also when somebody else has taken it.
  std::optional<Kept> take() {
    const std::lock_guard lock(mutex_);
    auto taken = std::exchange(kept_, std::nullopt);
    if (!taken) is_dropped_ = true;
    return taken;
  }
  void give_back(Kept kept, SteadyTime now) {
    const std::lock_guard lock(mutex_);
    last_use_ = now;
    if (!is_dropped_) kept_ = std::move(kept);
  }
  void drop() {
    std::optional<Kept> gone;  // its file goes without the lock
    const std::lock_guard lock(mutex_);
    is_dropped_ = true;
    gone.swap(kept_);
  }

  [[nodiscard]] bool has(std::uint64_t size) const {
    const std::lock_guard lock(mutex_);
    return kept_ && kept_->size == size;
  }
  void use(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    last_use_ = now;
  }
  [[nodiscard]] SteadyTime last_use() const {
    const std::lock_guard lock(mutex_);
    return last_use_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Kept> kept_{Kept{}};  // nullopt: taken or dropped
  bool is_dropped_ = false;
  SteadyTime last_use_;
};

void report(Services& services, std::uint64_t size, const Error& error) {
  SizeLimit& limit = services.space.limit();
  if (error.code == Code::NoSpace && limit.is_exceeded_by(size)) {
    services.log.info("what is pushed is larger than cache.max_size; it is not kept",
                      {{"bytes", static_cast<std::int64_t>(size)},
                       {"max_size", static_cast<std::int64_t>(limit.bytes())}});
    return;
  }
  if (error.code == Code::NoSpace) services.space.is_full(size);
  services.log.warn("cannot keep what is pushed; the push goes on without the cache",
                    {{"error", error.context}});
}

// On trouble nothing is left. Blocks.
bool store_piece(Services& services, Kept& kept, ByteView piece) {
  const auto stored = [&]() -> Result<void> {
    if (!kept.ingest) {
      auto ingest = services.store.begin_unnamed();
      if (!ingest) return std::unexpected(std::move(ingest.error()));
      kept.ingest = *std::move(ingest);
    }
    return kept.ingest->write(piece);
  }();
  if (!stored) {
    report(services, kept.size + piece.size(), stored.error());
    kept.ingest.reset();
    return false;
  }
  kept.hash.update(piece);
  kept.size += piece.size();
  return true;
}

class KeepingBody final : public upstream::Body {
 public:
  KeepingBody(Services& services, std::shared_ptr<Upload> upload,
              std::shared_ptr<upstream::Body> from)
      : services_(services), upload_(std::move(upload)), from_(std::move(from)) {}

  async::Task<Result<ByteView>> read() override {
    auto piece = co_await from_->read();
    if (!upload_ || !piece || piece->empty()) co_return piece;
    auto kept = upload_->take();
    if (!kept) {
      upload_.reset();
      co_return piece;
    }
    auto store = [&] { return store_piece(services_, *kept, *piece); };
    const bool is_quick = kept->ingest && piece->size() < kWorthAThread;
    const bool is_stored = is_quick ? store() : co_await services_.pool.run(store);
    if (is_stored) {
      upload_->give_back(*std::move(kept), services_.clock.steady());
    } else {
      upload_->drop();
      upload_.reset();
    }
    co_return piece;
  }

 private:
  Services& services_;
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
bool publish(Services& services, const Source& source, const oci::Digest& digest, Kept& kept) {
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
  if (!published) {
    report_not_stored(services, digest, digest.str(), kept.size, published.error());
  }
  return published.has_value();
}

}  // namespace

struct KeptUploads::State {
  explicit State(Services& with) : services(with) {}

  std::shared_ptr<Upload> find_or_add(const std::string& name);
  std::shared_ptr<Upload> find(const std::string& name);
  std::shared_ptr<Upload> extract(const std::string& name);
  void drop_before(SteadyTime last_use);

  Services& services;
  std::mutex mutex;
  // Those that were dropped for trouble stay until they end: they are not to begin in the middle.
  std::unordered_map<std::string, std::shared_ptr<Upload>> uploads;
};

std::shared_ptr<Upload> KeptUploads::State::find_or_add(const std::string& name) {
  const SteadyTime now = services.clock.steady();
  if (auto known = find(name)) {
    known->use(now);
    return known;
  }
  drop_before(now - kMaxPause);
  std::shared_ptr<Upload> idlest;
  std::shared_ptr<Upload> upload;
  {
    const std::lock_guard lock(mutex);
    if (uploads.size() >= kMaxUploads && !uploads.contains(name)) {
      const auto oldest = std::ranges::min_element(
          uploads, {}, [](const auto& entry) { return entry.second->last_use(); });
      idlest = std::move(oldest->second);
      uploads.erase(oldest);
    }
    auto& entry = uploads[name];
    if (!entry) entry = std::make_shared<Upload>(now);
    upload = entry;
  }
  if (idlest) idlest->drop();
  return upload;
}

std::shared_ptr<Upload> KeptUploads::State::find(const std::string& name) {
  const std::lock_guard lock(mutex);
  const auto found = uploads.find(name);
  return found == uploads.end() ? nullptr : found->second;
}

std::shared_ptr<Upload> KeptUploads::State::extract(const std::string& name) {
  const std::lock_guard lock(mutex);
  auto node = uploads.extract(name);
  return node ? std::move(node.mapped()) : nullptr;
}

void KeptUploads::State::drop_before(SteadyTime last_use) {
  std::vector<std::shared_ptr<Upload>> idle;
  {
    const std::lock_guard lock(mutex);
    std::erase_if(uploads, [&](const auto& entry) {
      if (entry.second->last_use() >= last_use) return false;
      idle.push_back(entry.second);
      return true;
    });
  }
  for (const auto& upload : idle) upload->drop();
}

KeptUploads::KeptUploads(Services& services) : state_(std::make_unique<State>(services)) {}

KeptUploads::~KeptUploads() { state_->drop_before(SteadyTime::max()); }

std::shared_ptr<upstream::Body> KeptUploads::keep(const std::string& upload,
                                                  std::shared_ptr<upstream::Body> from) {
  return std::make_shared<KeepingBody>(state_->services, state_->find_or_add(upload),
                                       std::move(from));
}

void KeptUploads::confirm(const std::string& upload, std::uint64_t size) {
  if (const auto known = state_->find(upload); known && !known->has(size)) known->drop();
}

void KeptUploads::drop(const std::string& upload) {
  if (const auto known = state_->extract(upload)) known->drop();
}

void KeptUploads::drop_idle() { state_->drop_before(state_->services.clock.steady() - kMaxPause); }

async::Task<std::uint64_t> KeptUploads::finish(std::string upload, Source source,
                                               oci::Digest digest) {
  Services& services = state_->services;
  const auto known = state_->extract(upload);
  if (!known) co_return 0;
  auto kept = known->take();
  known->drop();  // also where a Body is at it still
  if (!kept || !kept->ingest) co_return 0;
  source.kind = ContentKind::Blob;
  source.asked = services.checks.recent().count();
  auto work = [&] { return publish(services, source, digest, *kept); };
  const bool is_kept = co_await services.pool.run(work);
  co_return is_kept ? kept->size : 0;
}

}  // namespace fairlead::cache
