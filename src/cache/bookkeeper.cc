// SPDX-License-Identifier: Apache-2.0
#include "cache/bookkeeper.h"

#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/manifest_names.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

// The whole of a file that may be a manifest by its size and first byte, else nullopt.
Result<std::optional<std::string>> read_document(const store::BlobFile& file) {
  if (file.size == 0 || file.size > oci::kMaxManifestSize) return std::nullopt;
  std::string text(1, '\0');
  std::size_t read = 0;
  while (read < text.size()) {
    const ssize_t n =
        ::pread(file.fd.get(), text.data() + read, text.size() - read, static_cast<off_t>(read));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "read");
    if (n == 0) return std::nullopt;  // cut meanwhile
    read += static_cast<std::size_t>(n);
    if (text.front() != '{') return std::nullopt;
    text.resize(file.size);
  }
  return text;
}

struct Document {
  std::string media_type;
  std::vector<oci::Digest> names;
};

std::optional<Document> parse_document(const std::string& text) {
  auto manifest = oci::parse_manifest(text);
  if (!manifest) return std::nullopt;
  std::string media_type = std::move(manifest->media_type);
  return Document{.media_type = std::move(media_type),
                  .names = names_of(*std::move(manifest)).all()};
}

}  // namespace

bool Bookkeeper::has_row(const oci::Digest& digest) const {
  const auto known = index_.content(digest);
  return known && known->is_stored;
}

// What is only described is left alone: a fill of it may be under way, and its links are new.
void Bookkeeper::forget(const oci::Digest& digest) {
  if (!has_row(digest)) return;
  links_ == Links::Stay ? index_.unstore(digest) : index_.remove_stored(digest);
}

// The file is not there, and is not just away with its directory. That is asked before and after,
// for the directory may come back in between.
Result<bool> Bookkeeper::is_gone(const oci::Digest& digest) {
  if (auto placed = store_.check_in_place(); !placed) return std::unexpected(placed.error());
  const auto file = store_.inspect(digest);
  if (!file) return std::unexpected(file.error());
  if (auto placed = store_.check_in_place(); !placed) return std::unexpected(placed.error());
  return !file->has_value();
}

Result<store::Removal> Bookkeeper::remove(const oci::Digest& digest) {
  return remove_by(digest, [&] { return store_.remove(digest); });
}

Result<store::Removal> Bookkeeper::remove_damaged(const oci::Digest& digest,
                                                  const store::BlobFile& found) {
  return remove_by(digest, [&] { return store_.remove_damaged(digest, found); });
}

template <class RemoveFile>
Result<store::Removal> Bookkeeper::remove_by(const oci::Digest& digest, RemoveFile remove_file) {
  Result<store::Removal> removal;
  {
    const std::lock_guard lock(mutex_);
    removal = remove_file();
    if (!removal || *removal == store::Removal::InUse) return removal;
    if (*removal == store::Removal::Absent) {
      const auto gone = is_gone(digest);
      if (!gone) return std::unexpected(gone.error());
      if (!*gone) return removal;
    }
    forget(digest);
  }
  if (auto adopted = adopt(digest); !adopted) return std::unexpected(std::move(adopted.error()));
  return removal;
}

Result<bool> Bookkeeper::drop_row_without_file(const oci::Digest& digest) {
  {
    const std::lock_guard lock(mutex_);
    const auto gone = is_gone(digest);
    if (!gone) return std::unexpected(gone.error());
    if (!*gone || !has_row(digest)) return false;
    forget(digest);
  }
  const auto adopted = adopt(digest);
  if (!adopted) return std::unexpected(adopted.error());
  return *adopted == Adoption::NotNeeded;
}

Result<Bookkeeper::Adoption> Bookkeeper::adopt(const oci::Digest& digest) {
  if (has_row(digest)) return Adoption::NotNeeded;
  const auto file = store_.inspect(digest);
  if (!file) return std::unexpected(file.error());
  if (!*file) return Adoption::NotNeeded;
  const auto text = read_document(**file);
  if (!text) return std::unexpected(text.error());
  std::optional<Document> document = *text ? parse_document(**text) : std::nullopt;
  // What it names is believed from now on; all else waits for the scrubber.
  if (document && oci::digest_of(digest.algorithm(), as_byte_view(**text)) != digest) {
    auto removed = remove_damaged(digest, **file);
    if (!removed) return std::unexpected(std::move(removed.error()));
    return Adoption::Damaged;
  }
  if (!document) document.emplace();

  const std::lock_guard lock(mutex_);
  const auto now = store_.inspect(digest);
  if (!now) return std::unexpected(now.error());
  if (!*now || has_row(digest)) return Adoption::NotNeeded;
  index_.add_stored(digest, std::move(document->media_type), (*now)->size,
                    std::move(document->names), clock_.wall());
  return Adoption::Adopted;
}

}  // namespace fairlead::cache
