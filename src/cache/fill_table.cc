// SPDX-License-Identifier: Apache-2.0
#include "cache/fill_table.h"

namespace fairlead::cache {
namespace {

bool is_joinable(const Fill& fill) {
  const FillState state = fill.progress().state;
  return state == FillState::Starting || state == FillState::Filling ||
         state == FillState::Committed;
}

}  // namespace

std::shared_ptr<Fill> FillTable::find(const oci::Digest& digest, ContentKind kind) const {
  const std::lock_guard lock(mutex_);
  const Fills& fills = kind == ContentKind::Manifest ? manifests_ : blobs_;
  const auto found = fills.find(digest);
  return found != fills.end() && is_joinable(*found->second) ? found->second : nullptr;
}

FillTable::Joined FillTable::join_or_begin(const oci::Digest& digest, const Source& source) {
  const std::lock_guard lock(mutex_);
  auto& entry = (source.kind == ContentKind::Manifest ? manifests_ : blobs_)[digest];
  if (entry && is_joinable(*entry)) return {entry, false};
  entry = std::make_shared<Fill>(digest, source);
  return {entry, true};
}

void FillTable::remove(const Fill& fill) {
  const std::lock_guard lock(mutex_);
  Fills& fills = fill.source().kind == ContentKind::Manifest ? manifests_ : blobs_;
  const auto found = fills.find(fill.digest());
  if (found != fills.end() && found->second.get() == &fill) fills.erase(found);
}

std::size_t FillTable::size() const {
  const std::lock_guard lock(mutex_);
  return manifests_.size() + blobs_.size();
}

}  // namespace fairlead::cache
