// SPDX-License-Identifier: Apache-2.0
#include "cache/fill.h"

#include <utility>

namespace fairlead::cache {

Fill::Progress Fill::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

std::string Fill::media_type() const {
  const std::lock_guard lock(mutex_);
  return media_type_;
}

Error Fill::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

oci::Hasher Fill::continued_hash() const {
  const std::lock_guard lock(mutex_);
  return hash_->clone();
}

void Fill::begin(std::optional<std::uint64_t> size, std::string media_type,
                 std::unique_ptr<store::Ingest> ingest) {
  {
    const std::lock_guard lock(mutex_);
    progress_.state = FillState::Filling;
    progress_.size = size;
    progress_.file = ingest->fd();
    media_type_ = std::move(media_type);
    ingest_ = std::move(ingest);
  }
  changed_.notify_all();
}

void Fill::grow(std::uint64_t written) {
  {
    const std::lock_guard lock(mutex_);
    // The last byte stays hidden; of a content whose size is not known, each may be the last.
    const std::uint64_t last = progress_.size.value_or(written);
    progress_.available = written < last ? written : (last > 0 ? last - 1 : 0);
  }
  changed_.notify_all();
}

void Fill::verify(std::uint64_t size) {
  {
    const std::lock_guard lock(mutex_);
    progress_.state = FillState::Committed;
    progress_.size = size;
    progress_.available = size;
  }
  changed_.notify_all();
}

void Fill::fail(FillState state, Error error) {
  {
    const std::lock_guard lock(mutex_);
    progress_.state = state;
    error_ = std::move(error);
    if (ingest_) ingest_->discard();
  }
  changed_.notify_all();
}

void Fill::stop_storing(std::optional<std::uint64_t> size, std::string media_type,
                        std::uint64_t written, oci::Hasher hash) {
  {
    const std::lock_guard lock(mutex_);
    progress_.state = FillState::Unstorable;
    progress_.size = size;
    progress_.available = written;
    media_type_ = std::move(media_type);
    hash_ = std::move(hash);
    if (ingest_) ingest_->discard();
  }
  changed_.notify_all();
}

}  // namespace fairlead::cache
