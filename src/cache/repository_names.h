// SPDX-License-Identifier: Apache-2.0
// RepositoryNames: the names of all repositories of the registries that tell them, remembered
// while they are fresh, and served stale while a registry does not answer. In memory, shared by
// all workers.
//
// A registry is asked once at a time; who comes meanwhile waits for that answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"
#include "cache/freshness.h"
#include "telemetry/log.h"
#include "upstream/registry.h"
#include "upstream/single_flight.h"

namespace fairlead::cache {

// Thread-safe. Must outlive its tasks.
class RepositoryNames {
 public:
  // Of one registry; what goes beyond them is left out.
  static constexpr std::size_t kMaxNames = 100'000;
  static constexpr std::size_t kMaxPages = 200;
  static constexpr std::size_t kMaxPage = 1u << 20;    // bytes
  static constexpr std::chrono::seconds kMaxTime{60};  // for all pages together

  // How long a registry that did not tell is left alone.
  static constexpr std::chrono::seconds kRest{5};

  RepositoryNames(const Clock& clock, telemetry::Log& log) : clock_(clock), log_(log) {}

  using Names = std::shared_ptr<const std::vector<std::string>>;
  struct Told {
    Names names;  // the registry's own, sorted, each once
    Freshness freshness = Freshness::Checked;
  };
  // `registry` is the calling worker's client of the one that `name` names.
  async::Task<Result<Told>> names(upstream::Registry* registry, std::string name,
                                  FreshnessPolicy policy);

  // There was a push to `repository`: where that is a new one, what is known is no longer fresh.
  void note_pushed(const std::string& name, const std::string& repository);

 private:
  struct Entry {
    Names names;  // null: none are known
    WallTime checked;
    std::optional<Error> failure;  // of the last question
    SteadyTime rests_until;        // after it
    upstream::SingleFlight<Names> flight;
  };

  std::shared_ptr<Entry> entry_of(const std::string& name);
  std::optional<Told> if_fresh(const Entry& entry, const FreshnessPolicy& policy,
                               const std::optional<upstream::Quota>& quota) const;
  std::optional<Error> if_resting(const Entry& entry) const;
  Result<Told> stale_or(const Entry& entry, const FreshnessPolicy& policy, Error error) const;
  async::Task<Result<Names>> refresh(upstream::Registry* registry, std::string name,
                                     std::shared_ptr<Entry> entry);
  async::Task<Result<Names>> ask(upstream::Registry* registry, std::string name) const;

  const Clock& clock_;
  telemetry::Log& log_;
  mutable std::mutex mutex_;  // of all but the flights
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
};

}  // namespace fairlead::cache
