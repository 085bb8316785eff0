// SPDX-License-Identifier: Apache-2.0
#include "cache/tag_checks.h"

#include <algorithm>
#include <utility>

namespace fairlead::cache {
namespace {

template <class T>
void erase_beginning_with(std::map<std::string, T>& map, const std::string& prefix) {
  auto it = map.lower_bound(prefix);
  while (it != map.end() && it->first.starts_with(prefix)) it = map.erase(it);
}

}  // namespace

std::string name_of_tag(const Source& source, std::string_view tag) {
  return tags_in(source).append("\n").append(tag).append("\n");
}

void TagCheck::answer(Result<Resolved> result) {
  {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
  }
  answered_.notify_all();
}

async::Task<std::optional<Result<Resolved>>> TagCheck::wait(SteadyTime deadline) {
  for (bool is_in_time = true; is_in_time;) {
    const auto seen = answered_.version();
    {
      const std::lock_guard lock(mutex_);
      if (result_) co_return result_;
    }
    is_in_time = co_await answered_.wait(seen, deadline);
  }
  co_return std::nullopt;
}

TagChecks::Joined TagChecks::join_or_begin(const std::string& tag) {
  const std::lock_guard lock(mutex_);
  auto& check = running_[tag];
  if (check) return {check, false};
  check = std::make_shared<TagCheck>();
  return {check, true};
}

void TagChecks::end(const std::string& tag, Result<Resolved> result) {
  std::shared_ptr<TagCheck> check;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(tag);
    if (found == running_.end()) return;
    check = std::move(found->second);
    running_.erase(found);
  }
  check->answer(std::move(result));
}

std::optional<Error> TagChecks::not_found(const std::string& tag, SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = absent_.find(tag);
  if (found == absent_.end() || now >= found->second.until) return std::nullopt;
  return found->second.error;
}

void TagChecks::note_not_found(const std::string& tag, Error error, SteadyTime until) {
  const std::lock_guard lock(mutex_);
  // All of it is a matter of seconds: forgetting it costs a request each.
  if (absent_.size() >= kCapacity) absent_.clear();
  absent_.insert_or_assign(tag, Absence{std::move(error), until});
}

bool TagChecks::is_away(const std::string& where, SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = away_.find(where);
  return found != away_.end() && now < found->second;
}

void TagChecks::note_away(const std::string& where, SteadyTime until) {
  const std::lock_guard lock(mutex_);
  if (away_.size() >= kCapacity) away_.clear();
  SteadyTime& known = away_[where];
  known = std::max(known, until);
}

bool TagChecks::note_health(const std::string& registry, bool is_well) {
  const std::lock_guard lock(mutex_);
  return is_well ? unwell_.erase(registry) != 0 : unwell_.insert(registry).second;
}

bool TagChecks::note_held(const std::string& tag, const oci::Digest& young, std::string notice) {
  const std::lock_guard lock(mutex_);
  if (held_.size() >= kCapacity) held_.clear();
  const auto found = held_.find(tag);
  const bool is_news = found == held_.end() || found->second.young != young;
  held_.insert_or_assign(tag, Held{young, std::move(notice)});
  return is_news;
}

void TagChecks::note_not_held(const std::string& tag) {
  const std::lock_guard lock(mutex_);
  held_.erase(tag);
}

std::optional<std::string> TagChecks::held(const std::string& tag) const {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(tag);
  if (found == held_.end()) return std::nullopt;
  return found->second.notice;
}

void TagChecks::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  erase_beginning_with(absent_, name);
  erase_beginning_with(held_, name);
}

}  // namespace fairlead::cache
