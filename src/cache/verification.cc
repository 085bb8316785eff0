// SPDX-License-Identifier: Apache-2.0
#include "cache/verification.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace fairlead::cache {
namespace {

constexpr std::size_t kPiece = 1 << 20;

class Verification {
 public:
  Verification(const index::Index& index, store::BlobManager& store, const RemoveDamaged& remove,
               telemetry::Log& log, const std::function<void(const ScrubCounts&)>& progress,
               const std::stop_token& stop)
      : index_(index),
        store_(store),
        remove_(remove),
        log_(log),
        progress_(progress),
        stop_(stop),
        buffer_(kPiece) {}

  Result<ScrubCounts> run() {
    auto listed = store_.for_each(
        [this](const oci::Digest& digest, std::uint64_t, WallTime) { check(digest); });
    if (!listed) return std::unexpected(std::move(listed.error()));
    return counts_;
  }

 private:
  void check(const oci::Digest& digest) {
    if (stop_.stop_requested()) return;
    auto begun = ContentCheck::begin(store_, digest);
    if (!begun) return fail(digest, begun.error());
    if (!*begun) return;
    ContentCheck& check = **begun;
    std::optional<Verdict> verdict;
    while (!verdict && !stop_.stop_requested()) {
      const std::uint64_t before = check.bytes_read();
      verdict = check.advance(index_, buffer_);
      counts_.bytes += check.bytes_read() - before;
      if (!verdict) tell();
    }
    if (verdict) settle(check, *verdict);
    tell();
  }

  void settle(const ContentCheck& check, Verdict verdict) {
    ++counts_.contents;
    if (verdict == Verdict::Sound) return;
    if (const auto removed = remove_(check); !removed) return fail(check.digest(), removed.error());
    ++counts_.damaged;
  }

  void fail(const oci::Digest& digest, const Error& error) {
    ++counts_.failed;
    log_.warn("cannot check stored content", {{"content", std::string_view(digest.str())},
                                              {"error", std::string_view(error.context)}});
  }

  void tell() const {
    if (progress_) progress_(counts_);
  }

  const index::Index& index_;
  store::BlobManager& store_;
  const RemoveDamaged& remove_;
  telemetry::Log& log_;
  const std::function<void(const ScrubCounts&)>& progress_;
  const std::stop_token& stop_;
  std::vector<std::byte> buffer_;
  ScrubCounts counts_;
};

}  // namespace

RemoveDamaged remove_with(Bookkeeper& bookkeeper, telemetry::Log& log) {
  return [&bookkeeper, &log](const ContentCheck& check) { return check.remove(bookkeeper, log); };
}

Result<ScrubCounts> verify_all(const index::Index& index, store::BlobManager& store,
                               const RemoveDamaged& remove, telemetry::Log& log,
                               const std::function<void(const ScrubCounts&)>& progress,
                               const std::stop_token& stop) {
  return Verification(index, store, remove, log, progress, stop).run();
}

}  // namespace fairlead::cache
