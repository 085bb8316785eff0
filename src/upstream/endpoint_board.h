// SPDX-License-Identifier: Apache-2.0
// EndpointBoard: what the clients of all workers have learnt of the endpoints' ways, by their URLs,
// so that what one was told the others need not be told anew.
//
// A challenge is remembered until there is another, or it turns out to be of no use. It wins over
// all that was seen before: there are registries that let strangers in at /v2/, or at what is
// public, and ask for a login elsewhere.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "upstream/challenge.h"

namespace fairlead::upstream {

// Thread-safe.
class EndpointBoard {
 public:
  static constexpr std::chrono::minutes kRemembered{5};  // but for challenges

  // `clock` must outlive it.
  explicit EndpointBoard(const Clock& clock) : clock_(clock) {}

  // How it wants to be logged in to.
  void note_challenge(const std::string& endpoint, const Challenge& challenge);
  void forget_challenge(const std::string& endpoint);
  [[nodiscard]] std::optional<Challenge> challenge(const std::string& endpoint) const;

  // It let in somebody who showed nothing.
  void note_asks_nothing(const std::string& endpoint);
  // Whether there is a challenge, or it asks nothing.
  [[nodiscard]] bool is_login_known(const std::string& endpoint) const;

  // It said nothing to Expect: 100-continue, and what then came it took: it knows no 100 Continue;
  // or refused: there are servers that know it but refuse a small body only once they have read it.
  void note_no_continue(const std::string& endpoint);
  void note_no_continue_for_small(const std::string& endpoint);
  [[nodiscard]] bool sends_no_continue(const std::string& endpoint, bool is_small) const;

 private:
  struct Entry {
    std::optional<Challenge> challenge;
    SteadyTime asks_nothing_until{};
    SteadyTime no_continue_until{};
    SteadyTime no_continue_for_small_until{};
  };

  [[nodiscard]] Entry find(const std::string& endpoint) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace fairlead::upstream
