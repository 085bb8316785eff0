// SPDX-License-Identifier: Apache-2.0
#include "cache/upload_table.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace fairlead::cache {

std::shared_ptr<Upload> UploadTable::find_or_add(const std::string& name, SteadyTime now) {
  if (auto known = find(name)) {
    known->use(now);
    return known;
  }
  std::shared_ptr<Upload> idlest;
  std::shared_ptr<Upload> upload;
  {
    const std::lock_guard lock(mutex_);
    if (uploads_.size() >= capacity_ && !uploads_.contains(name)) {
      const auto oldest = std::ranges::min_element(
          uploads_, {}, [](const auto& entry) { return entry.second->last_use(); });
      idlest = std::move(oldest->second);
      uploads_.erase(oldest);
    }
    auto& entry = uploads_[name];
    if (!entry) entry = std::make_shared<Upload>(std::make_unique<KeptBytes>(total_), now);
    upload = entry;
  }
  if (idlest) idlest->drop();
  return upload;
}

std::shared_ptr<Upload> UploadTable::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(name);
  return found == uploads_.end() ? nullptr : found->second;
}

std::shared_ptr<Upload> UploadTable::extract(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto node = uploads_.extract(name);
  return node ? std::move(node.mapped()) : nullptr;
}

void UploadTable::drop_before(SteadyTime last_use) {
  std::vector<std::shared_ptr<Upload>> idle;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(uploads_, [&](const auto& entry) {
      if (entry.second->last_use() >= last_use) return false;
      idle.push_back(entry.second);
      return true;
    });
  }
  for (const auto& upload : idle) upload->drop();
}

// Null: none holds any.
std::shared_ptr<Upload> UploadTable::find_idlest_with_bytes() {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Upload> idlest;
  for (const auto& [name, upload] : uploads_) {
    if (upload->size() == 0) continue;
    if (!idlest || upload->last_use() < idlest->last_use()) idlest = upload;
  }
  return idlest;
}

std::uint64_t UploadTable::make_room(std::uint64_t bytes) {
  std::uint64_t freed = 0;
  while (freed < bytes) {
    const auto idlest = find_idlest_with_bytes();
    if (!idlest) break;
    freed += idlest->drop();
  }
  return freed;
}

}  // namespace fairlead::cache
