// SPDX-License-Identifier: Apache-2.0
#include "s3/part_upload.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "s3/nameless_file.h"

namespace fairlead::s3 {
namespace {

constexpr std::uint64_t kMaxParts = 9'000;

// The parts of one upload, as the two threads that send them share them.
class Parts {
 public:
  Parts(BlockingObjects& objects, const PartUpload& upload, std::string id, std::stop_token stop)
      : objects_(objects),
        upload_(upload),
        id_(std::move(id)),
        stop_(std::move(stop)),
        hasher_(upload.digest.algorithm()) {}

  // In the order of their numbers. Not to be completed unless they went well.
  Result<std::vector<UploadedPart>> send() {
    {
      std::jthread second;
      try {
        second = std::jthread([this] { send_some(); });
      } catch (const std::system_error&) {
        // No thread to be had: then one at a time.
      }
      send_some();
    }
    if (error_) return std::unexpected(*std::move(error_));
    if (!is_all()) return internal_error(Code::Cancelled, "the upload was stopped");
    if (hasher_.finish() != upload_.digest) return not_its_digest(upload_.digest);
    std::ranges::sort(sent_, {}, &UploadedPart::number);
    return std::move(sent_);
  }

 private:
  struct Piece {
    int number = 0;
    std::string bytes;
  };

  [[nodiscard]] std::uint64_t begin_of(int number) const {
    return static_cast<std::uint64_t>(number - 1) * upload_.part_size;
  }
  [[nodiscard]] bool is_all() const { return begin_of(next_) >= upload_.size; }

  void send_some() {
    while (auto piece = take()) {
      auto part = objects_.run<UploadedPart>([&](Objects& objects) {
        return objects.put_part(upload_.key, id_, piece->number, std::move(piece->bytes));
      });
      const std::lock_guard lock(mutex_);
      if (part) {
        sent_.push_back(*std::move(part));
      } else if (!error_) {
        error_ = std::move(part.error());
      }
    }
  }

  // Read and hashed in their order, so that what is sent is what was hashed.
  std::optional<Piece> take() {
    const std::lock_guard lock(mutex_);
    if (error_ || is_all() || stop_.stop_requested()) return std::nullopt;
    const std::uint64_t begin = begin_of(next_);
    auto bytes = read_piece(upload_.file, begin, std::min(upload_.part_size, upload_.size - begin));
    if (!bytes) {
      error_ = std::move(bytes.error());
      return std::nullopt;
    }
    hasher_.update(as_byte_view(*bytes));
    return Piece{.number = next_++, .bytes = *std::move(bytes)};
  }

  BlockingObjects& objects_;
  const PartUpload& upload_;
  const std::string id_;
  const std::stop_token stop_;
  std::mutex mutex_;  // all below
  int next_ = 1;
  oci::Hasher hasher_;  // of those taken
  std::vector<UploadedPart> sent_;
  std::optional<Error> error_;
};

Result<void> send_and_complete(BlockingObjects& objects, const PartUpload& upload,
                               const std::string& id, const std::stop_token& stop) {
  auto parts = Parts(objects, upload, id, stop).send();
  if (!parts) return std::unexpected(std::move(parts.error()));
  return objects.run<void>(
      [&](Objects& there) { return there.complete_upload(upload.key, id, *std::move(parts)); });
}

}  // namespace

std::uint64_t part_size_for(std::uint64_t size, std::uint64_t least) {
  return std::max({least, (size + kMaxParts - 1) / kMaxParts, std::uint64_t{1}});
}

std::unexpected<Error> not_its_digest(const oci::Digest& digest) {
  return internal_error(Code::Corrupt,
                        "the file is not what its digest says: it is not " + digest.str());
}

Result<void> upload_in_parts(BlockingObjects& objects, UploadJournal& journal,
                             const PartUpload& upload, const std::stop_token& stop) {
  const auto id = objects.run<std::string>([&](Objects& there) {
    return there.begin_upload(upload.key, upload.media_type, upload.writing);
  });
  if (!id) return std::unexpected(id.error());
  const JournaledUpload entry{upload.writing, upload.key, *id};
  auto done = journal.add(entry);
  if (done) done = send_and_complete(objects, upload, *id, stop);
  if (done) {
    journal.remove(entry);
    return done;
  }
  // Also what was completed and S3 could not tell: then there is nothing to abort any more.
  const auto aborted =
      objects.run<void>([&](Objects& there) { return there.abort_upload(upload.key, *id); });
  if (aborted) {
    journal.remove(entry);
  } else {
    journal.leave(entry);
  }
  return done;
}

}  // namespace fairlead::s3
