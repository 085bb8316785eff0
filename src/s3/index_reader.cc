// SPDX-License-Identifier: Apache-2.0
#include "s3/index_reader.h"

#include <algorithm>
#include <utility>

namespace fairlead::s3 {
namespace {

using oci_layout::ListedManifest;

constexpr std::chrono::minutes kPatience{2};  // with others' reads

std::size_t bytes_of(const std::vector<ListedManifest>& index) {
  std::size_t bytes = index.capacity() * sizeof(ListedManifest);
  for (const ListedManifest& listed : index) {
    bytes += listed.digest.str().size() + listed.media_type.size() + listed.tag.size();
  }
  return bytes;
}

}  // namespace

struct IndexReader::LargeRead {
  explicit LargeRead(IndexReader& reader_) : reader(reader_) { reader.is_reading_large_ = true; }
  LargeRead(const LargeRead&) = delete;
  LargeRead& operator=(const LargeRead&) = delete;
  ~LargeRead() {
    reader.is_reading_large_ = false;
    reader.large_read_.notify_all();
  }
  IndexReader& reader;
};

IndexReader::IndexReader(ObjectReader& objects, std::string root, const Clock& clock)
    : objects_(objects), root_(std::move(root)), clock_(clock) {}

async::Task<Result<IndexReader::Index>> IndexReader::read(std::string repository) {
  if (auto known = remembered(repository)) co_return known;
  const auto flight = flight_of(repository);
  co_return co_await flight->run([&] { return fetch(repository); },
                                 std::chrono::steady_clock::now() + kPatience);
}

async::Task<Result<IndexReader::Index>> IndexReader::fetch(std::string repository) {
  const std::string key = oci_layout::index_key(root_, repository);
  const std::uint64_t forgotten = forgotten_;
  auto text = co_await objects_.get_text(key, kLarge);
  if (!text && text.error().code == Code::TooLarge) text = co_await get_large(key);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto parsed = oci_layout::parse_index(*text);
  if (!parsed) co_return std::unexpected(std::move(parsed.error()).within(repository));
  parsed->shrink_to_fit();
  auto index = std::make_shared<const std::vector<ListedManifest>>(*std::move(parsed));
  if (forgotten == forgotten_) remember(repository, index);
  co_return index;
}

async::Task<Result<std::string>> IndexReader::get_large(std::string key) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto seen = large_read_.version();
    if (!is_reading_large_) break;
    if (!co_await large_read_.wait(seen, deadline)) {
      co_return upstream_error(Code::Timeout, Retry::Yes, "the bucket's indexes take too long");
    }
  }
  const LargeRead reading(*this);
  co_return co_await objects_.get_text(std::move(key), oci_layout::kMaxIndex);
}

std::shared_ptr<IndexReader::Flight> IndexReader::flight_of(const std::string& repository) {
  std::erase_if(flights_, [](const auto& entry) { return entry.second.use_count() == 1; });
  auto& flight = flights_[repository];
  if (!flight) flight = std::make_shared<Flight>();
  return flight;
}

IndexReader::Index IndexReader::remembered(const std::string& repository) {
  const SteadyTime now = clock_.steady();
  std::erase_if(entries_, [&](const Entry& entry) {
    if (now < entry.until) return false;
    bytes_ -= entry.bytes;
    return true;
  });
  const auto found = std::ranges::find(entries_, repository, &Entry::repository);
  return found == entries_.end() ? nullptr : found->index;
}

void IndexReader::forget(const std::string& repository) {
  ++forgotten_;
  flights_.erase(repository);  // those aboard have it kept alive, and land with what was
  std::erase_if(entries_, [&](const Entry& entry) {
    if (entry.repository != repository) return false;
    bytes_ -= entry.bytes;
    return true;
  });
}

void IndexReader::remember(const std::string& repository, Index index) {
  const std::size_t bytes = bytes_of(*index);
  if (bytes > kMaxBytes) return;
  while (!entries_.empty() && (entries_.size() >= kMaxRemembered || bytes_ + bytes > kMaxBytes)) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
  bytes_ += bytes;
  entries_.push_back({repository, std::move(index), bytes, clock_.steady() + kRemembered});
}

}  // namespace fairlead::s3
