// SPDX-License-Identifier: Apache-2.0
#include "cache/reconcile.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/fingerprint.h"

namespace fairlead::cache {
namespace {

// Rows whose file was not seen, of one pass: some megabytes.
constexpr std::size_t kMaxMissing = 32 * 1024;

class Reconciliation {
 public:
  Reconciliation(const index::Index& index, store::BlobStore& store, Bookkeeper& bookkeeper,
                 telemetry::Log& log, std::stop_token stop)
      : index_(index), store_(store), bookkeeper_(bookkeeper), log_(log), stop_(std::move(stop)) {}

  Result<Reconciled> run() {
    const auto visit = [this](const oci::Digest& digest, std::uint64_t size, WallTime) {
      if (stop_.stop_requested()) return;
      look_at_file(digest, size);
    };
    if (auto listed = store_.for_each(visit); !listed) {
      return std::unexpected(std::move(listed.error()));
    }
    if (auto placed = store_.check_in_place(); !placed) {
      return std::unexpected(std::move(placed.error()));
    }
    std::ranges::sort(seen_);
    while (!stop_.stop_requested() && drop_rows()) {
    }
    return counts_;
  }

 private:
  void look_at_file(const oci::Digest& digest, std::uint64_t size) {
    seen_.push_back(fingerprint(digest));
    const auto row = index_.content(digest);
    if (!row || !row->is_stored) {
      adopt(digest);
    } else if (row->size != size) {
      remove_if_damaged(digest);
    }
  }

  void adopt(const oci::Digest& digest) {
    const auto adoption = bookkeeper_.adopt(digest);
    if (!adoption) return fail(digest, adoption.error());
    counts_.files_adopted += *adoption == Bookkeeper::Adoption::Adopted ? 1 : 0;
    counts_.damaged += *adoption == Bookkeeper::Adoption::Damaged ? 1 : 0;
  }

  // Looked at again, by the very file: a sound one may have replaced it.
  void remove_if_damaged(const oci::Digest& digest) {
    const auto file = store_.inspect(digest);
    if (!file) return fail(digest, file.error());
    const auto row = index_.content(digest);
    if (!*file || !row || !row->is_stored || row->size == (*file)->size) return;
    const auto removal = bookkeeper_.remove_damaged(digest, **file);
    if (!removal) return fail(digest, removal.error());
    counts_.damaged += *removal == store::Removal::Removed ? 1 : 0;
  }

  // Some of the rows whose file was not seen. True: there may be more.
  bool drop_rows() {
    std::vector<oci::Digest> missing;
    index_.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo&) {
      if (missing.size() < kMaxMissing && !is_seen(digest)) missing.push_back(digest);
    });
    for (const auto& digest : missing) {
      if (stop_.stop_requested()) return false;
      const auto dropped = bookkeeper_.drop_row_without_file(digest);
      if (!dropped) {
        fail(digest, dropped.error());
        if (!store_.check_in_place()) return false;  // all others would fail, too
      } else if (*dropped) {
        ++counts_.rows_dropped;
      }
      seen_later_.push_back(fingerprint(digest));
    }
    std::ranges::sort(seen_later_);
    return missing.size() == kMaxMissing;
  }

  [[nodiscard]] bool is_seen(const oci::Digest& digest) const {
    const auto key = fingerprint(digest);
    return std::ranges::binary_search(seen_, key) || std::ranges::binary_search(seen_later_, key);
  }

  void fail(const oci::Digest& digest, const Error& error) {
    ++counts_.failed;
    log_.warn(
        "cannot reconcile content with the cache index",
        {{"content", std::string_view(digest.str())}, {"error", std::string_view(error.context)}});
  }

  const index::Index& index_;
  store::BlobStore& store_;
  Bookkeeper& bookkeeper_;
  telemetry::Log& log_;
  const std::stop_token stop_;
  Reconciled counts_;
  std::vector<std::uint64_t> seen_;        // fingerprints of the files, sorted once all are there
  std::vector<std::uint64_t> seen_later_;  // and of the rows that were looked at, sorted
};

}  // namespace

Result<Reconciled> reconcile(const index::Index& index, store::BlobStore& store,
                             Bookkeeper& bookkeeper, telemetry::Log& log, std::stop_token stop) {
  return Reconciliation(index, store, bookkeeper, log, std::move(stop)).run();
}

}  // namespace fairlead::cache
