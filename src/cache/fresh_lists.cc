// SPDX-License-Identifier: Apache-2.0
#include "cache/fresh_lists.h"

#include <functional>

namespace fairlead::cache {

std::size_t FreshLists::stripe(const std::string& list) {
  return std::hash<std::string>{}(list) % kStripes;
}

FreshLists::Generation FreshLists::generation(const std::string& list) const {
  const std::lock_guard lock(mutex_);
  return generations_[stripe(list)];
}

void FreshLists::note_whole(const std::string& list, Generation asked, const std::string& text,
                            WallTime checked) {
  const std::size_t hash = std::hash<std::string>{}(text);
  const std::lock_guard lock(mutex_);
  if (generations_[stripe(list)] != asked) return;
  // Forgetting one costs a request.
  if (whole_.size() >= kCapacity && !whole_.contains(list)) whole_.erase(whole_.begin());
  whole_.insert_or_assign(list, Whole{.text = hash, .checked = checked});
}

void FreshLists::note_changed(const std::string& list) {
  const std::lock_guard lock(mutex_);
  ++generations_[stripe(list)];
  whole_.erase(list);
}

void FreshLists::note_all_changed(const std::string& beginning) {
  const std::lock_guard lock(mutex_);
  for (Generation& generation : generations_) ++generation;
  std::erase_if(whole_, [&](const auto& entry) { return entry.first.starts_with(beginning); });
}

bool FreshLists::may_be_whole(const std::string& list) const {
  const std::lock_guard lock(mutex_);
  return whole_.contains(list);
}

std::optional<WallTime> FreshLists::whole_since(const std::string& list,
                                                const std::string& text) const {
  const std::size_t hash = std::hash<std::string>{}(text);
  const std::lock_guard lock(mutex_);
  const auto found = whole_.find(list);
  if (found == whole_.end() || found->second.text != hash) return std::nullopt;
  return found->second.checked;
}

std::unique_lock<std::mutex> FreshLists::edit(const std::string& list) {
  return std::unique_lock(editing_[stripe(list)]);
}

}  // namespace fairlead::cache
