// SPDX-License-Identifier: Apache-2.0
// Remembered: what was found lately, by a name. Bounded, each for the same time; the oldest goes
// first.
#pragma once

#include <chrono>
#include <cstddef>
#include <iterator>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"

namespace fairlead::s3 {

// One thread's. `clock` must outlive it.
template <class Value>
class Remembered {
 public:
  Remembered(std::size_t capacity, std::chrono::seconds lifetime, const Clock& clock)
      : capacity_(capacity), lifetime_(lifetime), clock_(clock) {}
  Remembered(const Remembered&) = delete;
  Remembered& operator=(const Remembered&) = delete;

  void put(std::string name, Value value) {
    erase(name);
    const SteadyTime now = clock_.steady();
    while (!entries_.empty() && (entries_.size() >= capacity_ || entries_.front().until <= now)) {
      drop(entries_.begin());
    }
    entries_.push_back({std::move(name), std::move(value), now + lifetime_});
    by_name_.emplace(entries_.back().name, std::prev(entries_.end()));
  }

  [[nodiscard]] std::optional<Value> find(std::string_view name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end() || found->second->until <= clock_.steady()) return std::nullopt;
    return found->second->value;
  }

  void erase(std::string_view name) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) drop(found->second);
  }

  // All whose names begin so. Looks at every one.
  void erase_all(std::string_view prefix) {
    for (auto at = entries_.begin(); at != entries_.end();) {
      const auto next = std::next(at);
      if (at->name.starts_with(prefix)) drop(at);
      at = next;
    }
  }

 private:
  struct Entry {
    std::string name;
    Value value;
    SteadyTime until;
  };
  using Position = std::list<Entry>::iterator;

  void drop(Position at) {
    by_name_.erase(at->name);
    entries_.erase(at);
  }

  const std::size_t capacity_;
  const std::chrono::seconds lifetime_;
  const Clock& clock_;
  std::list<Entry> entries_;                                // the oldest first
  std::unordered_map<std::string_view, Position> by_name_;  // names of the entries
};

}  // namespace fairlead::s3
