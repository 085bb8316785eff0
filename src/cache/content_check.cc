// SPDX-License-Identifier: Apache-2.0
#include "cache/content_check.h"

#include <string_view>
#include <utility>

#include "cache/quiet_read.h"

namespace fairlead::cache {

ContentCheck::ContentCheck(oci::Digest digest, store::BlobFile file)
    : digest_(std::move(digest)), file_(std::move(file)), hash_(digest_.algorithm()) {}

Result<std::optional<ContentCheck>> ContentCheck::begin(store::BlobManager& store,
                                                        const oci::Digest& digest) {
  auto file = store.inspect(digest);
  if (!file) return std::unexpected(std::move(file.error()));
  if (!*file) return std::nullopt;
  return ContentCheck(digest, std::move(**file));
}

std::optional<Verdict> ContentCheck::advance(const index::Index& index, MutableByteView buffer) {
  const auto read = read_quietly(file_.fd.get(), buffer, read_);
  if (!read) return damaged(read.error().context);
  hash_.update(buffer.first(*read));
  read_ += *read;
  if (*read == buffer.size()) return std::nullopt;
  return verdict(index);
}

Verdict ContentCheck::verdict(const index::Index& index) {
  const auto row = index.content(digest_);
  if (row && row->is_stored && row->size != read_) {
    return damaged(std::to_string(read_) + " bytes where " + std::to_string(row->size) +
                   " were stored");
  }
  const oci::Digest actual = hash_.finish();
  if (actual != digest_) return damaged("the bytes are those of " + actual.str());
  return Verdict::Sound;
}

Verdict ContentCheck::damaged(std::string why) {
  why_ = std::move(why);
  return Verdict::Damaged;
}

Result<void> ContentCheck::remove(Bookkeeper& bookkeeper, telemetry::Log& log) const {
  log.error("stored content is damaged; it is removed, the next pull fetches it again",
            {{"content", std::string_view(digest_.str())}, {"error", std::string_view(why_)}});
  const auto removal = bookkeeper.remove_damaged(digest_, file_);
  if (!removal) return std::unexpected(removal.error());
  return {};
}

}  // namespace fairlead::cache
