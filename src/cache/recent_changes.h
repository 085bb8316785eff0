// SPDX-License-Identifier: Apache-2.0
// RecentChanges: what was pushed or deleted through us of late, so that what an upstream answered
// to an earlier question does not undo it.
//
//   const auto asked = recent.count();                      // first the number, then the question
//   recent.unless_changed(what, asked, [&] { learn(); });   // nothing, if it was asked too early
//
// `what` is any text that tells one thing that changes from the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache/source.h"
#include "oci/digest.h"

namespace fairlead::cache {

// Thread-safe. `act` is called with its lock held: must be short, and not call it.
class RecentChanges {
 public:
  static constexpr std::size_t kCapacity = 16'384;

  // Of all changes until now.
  [[nodiscard]] std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

  // The number of the last change of `what`, or one that is higher.
  [[nodiscard]] std::uint64_t last(const std::string& what) const {
    const std::lock_guard lock(mutex_);
    return last_of(what);
  }

  // `act` makes the change.
  template <class Act>
  void change(const std::string& what, Act act) {
    at_once([&](Held held) {
      held.change(what);
      act();
    });
  }

  // Calls `act` unless `what` has changed since the count was `asked`. Whether it did.
  template <class Act>
  bool unless_changed(const std::string& what, std::uint64_t asked, Act act) {
    return at_once([&](Held held) {
      if (held.has_changed(what, asked)) return false;
      act();
      return true;
    });
  }

  // What `act` may do while nothing else changes.
  class Held {
   public:
    [[nodiscard]] bool has_changed(const std::string& what, std::uint64_t asked) const {
      return of_.last_of(what) > asked;
    }
    // The number of the change, which `act` makes.
    std::uint64_t change(const std::string& what) { return of_.note(what); }

   private:
    friend class RecentChanges;
    explicit Held(RecentChanges& of) : of_(of) {}
    RecentChanges& of_;
  };

  // Returns what `act` does, which is given a Held.
  template <class Act>
  auto at_once(Act act) {
    const std::lock_guard lock(mutex_);
    return act(Held(*this));
  }

 private:
  [[nodiscard]] std::uint64_t last_of(const std::string& what) const {
    const auto found = last_.find(what);
    return found == last_.end() ? floor_ : found->second;
  }

  std::uint64_t note(const std::string& what) {
    ++count_;
    if (last_.size() >= kCapacity && !last_.contains(what)) {
      // As if all that is forgotten had changed now: something is asked once more.
      last_.clear();
      floor_ = count_;
    }
    last_.insert_or_assign(what, count_);
    return count_;
  }

  mutable std::mutex mutex_;
  std::uint64_t count_ = 0;
  std::uint64_t floor_ = 0;  // the last change, at most, of what is not in last_
  std::unordered_map<std::string, std::uint64_t> last_;
};

// The tags of the source's repository, as one thing that changes. (One of them: name_of_tag().)
inline std::string tags_in(const Source& source) {
  return source.registry_name + "\n" + source.repository;
}

// That the source's repository holds `digest`.
inline std::string holding_of(const Source& source, const oci::Digest& digest) {
  return tags_in(source) + "\n" + digest.str();
}

}  // namespace fairlead::cache
