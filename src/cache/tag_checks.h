// SPDX-License-Identifier: Apache-2.0
// TagChecks: the questions to upstreams about tags that are under way, over all workers, and what
// the last ones taught that is not worth keeping on disk: that a tag was not there, that a
// registry did not answer.
//
// A tag is asked for once at a time; who comes meanwhile waits for that answer.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "async/broadcast.h"
#include "base/clock.h"
#include "base/error.h"
#include "cache/recent_changes.h"
#include "cache/resolved.h"
#include "cache/source.h"

namespace fairlead::cache {

// One question, from its beginning to its answer. Thread-safe.
class TagCheck {
 public:
  void answer(Result<Resolved> result);

  // The answer, or nullopt when `deadline` passes first; the question goes on then.
  async::Task<std::optional<Result<Resolved>>> wait(SteadyTime deadline);

 private:
  std::mutex mutex_;
  std::optional<Result<Resolved>> result_;
  async::Broadcast answered_;
};

// What the names of all questions about one tag begin with, whoever asks.
std::string name_of_tag(const Source& source, std::string_view tag);

// Thread-safe. A question is named by name_of_tag(), then any text that tells it from the others.
class TagChecks {
 public:
  static constexpr std::size_t kCapacity = 16'384;  // of each kind of memory

  struct Joined {
    std::shared_ptr<TagCheck> check;
    bool is_new = false;  // the caller asks, and calls end()
  };
  Joined join_or_begin(const std::string& tag);
  void end(const std::string& tag, Result<Resolved> result);

  // The tag's last answer was that there is no such thing, not long ago.
  [[nodiscard]] std::optional<Error> not_found(const std::string& tag, SteadyTime now) const;
  void note_not_found(const std::string& tag, Error error, SteadyTime until);

  // Asking there again before `until` is of no use, as far as we know. `where` is a registry, or
  // one of its repositories.
  [[nodiscard]] bool is_away(const std::string& where, SteadyTime now) const;
  void note_away(const std::string& where, SteadyTime until);

  // Whether a registry gives answers, for the log. True: that is news.
  bool note_health(const std::string& registry, bool is_well);

  // A cooldown holds the tag back: `notice` says so for as long as the tag is not checked again.
  // True: of `young`, that is news.
  bool note_held(const std::string& tag, const oci::Digest& young, std::string notice);
  void note_not_held(const std::string& tag);
  [[nodiscard]] std::optional<std::string> held(const std::string& tag) const;

  // The tag has changed: what was not found, or held back, of it is of no account any more.
  // `name` is name_of_tag().
  void forget(const std::string& name);

  // What has changed meanwhile is not to be written over by the answer to a check.
  [[nodiscard]] RecentChanges& recent() { return recent_; }

 private:
  struct Absence {
    Error error;
    SteadyTime until;
  };
  struct Held {
    oci::Digest young;
    std::string notice;
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<TagCheck>> running_;
  std::map<std::string, Absence> absent_;
  std::map<std::string, Held> held_;
  std::unordered_map<std::string, SteadyTime> away_;
  std::set<std::string> unwell_;  // registries
  RecentChanges recent_;
};

}  // namespace fairlead::cache
