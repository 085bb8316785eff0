// SPDX-License-Identifier: Apache-2.0
// LoginThrottle: who guesses passwords waits longer and longer.
//
// A client has a score: each failed login adds one, each minute takes one away. Above four, so from
// the fifth failure within a minute on, each shuts the client out: 1 s, 2 s, 4 s, up to 60 s. At
// the limit that is one guess a minute. A login that goes well takes nothing from the score (the
// attack: one's own password between the guesses).
// A client is an address, of IPv6 a network of 64 bits.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace fairlead::auth {

// Thread-safe.
class LoginThrottle {
 public:
  static constexpr double kFreeScore = 4;
  static constexpr double kMaxScore = 11;  // 60 s; seven minutes until nothing is held back
  static constexpr std::chrono::seconds kMaxWait{60};
  static constexpr std::chrono::seconds kForgiven{60};  // one failure
  static constexpr std::size_t kMaxClients = 10'000;

  // `clock` must outlive it.
  explicit LoginThrottle(const Clock& clock) : clock_(clock) {}

  // Before a login of `address` ("10.0.0.1", "unix") is looked at: how long it has to wait, a
  // second at least; nullopt: go on, and tell the outcome. A client with a high score gets one try:
  // who else comes meanwhile waits (the attack: a hundred guesses at the same time, before the
  // first has failed).
  [[nodiscard]] std::optional<std::chrono::seconds> admit(std::string_view address);

  // Whether it has failed too often since: asked of a try that has waited for its turn.
  [[nodiscard]] bool is_shut(std::string_view address) const;

  void failed(std::string_view address);
  void succeeded(std::string_view address);

  [[nodiscard]] std::size_t clients() const;

 private:
  struct Client {
    double score = 0;  // at `since`
    SteadyTime since;
    SteadyTime shut_until{};   // by a failure
    SteadyTime tried_until{};  // by a try whose outcome is not known
  };

  static double score_at(const Client& client, SteadyTime now);
  static SteadyTime::duration wait_of(double score);
  void make_room(SteadyTime now);  // with mutex_ held

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Client> clients_;
};

}  // namespace fairlead::auth
