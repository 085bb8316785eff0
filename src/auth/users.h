// SPDX-License-Identifier: Apache-2.0
// Users: who of the htpasswd file gave the right password.
//
// bcrypt is slow on purpose, so it is computed on the BlockingPool, for few at a time, once for
// all who ask the same at once, and a password that was right is remembered for a minute. What is
// remembered is a fingerprint of user, password and hash: a hash that changed is asked anew.
// Names are not told apart by time: for an unknown one the same work is done.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "async/blocking_pool.h"
#include "async/task.h"
#include "auth/htpasswd.h"
#include "auth/keyed_hash.h"
#include "auth/waiting_line.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/single_flight.h"

namespace fairlead::auth {

// Thread-safe. Must outlive its checks.
class Users {
 public:
  static constexpr std::size_t kAtOnce = 2;
  static constexpr std::size_t kMaxWaiting = 64;
  static constexpr std::size_t kMaxRemembered = 10'000;
  static constexpr std::chrono::seconds kRememberedFor{60};
  static constexpr std::chrono::seconds kPatience{10};  // of a check that waits for its turn

  // Nobody is known before reload(). `clock` and `pool` must outlive it.
  Users(std::string path, const Clock& clock, async::BlockingPool& pool);

  // Reads the file again. When it is not right all stays as it was, and the error says what is
  // wrong, line by line. Blocks.
  Result<std::vector<HtpasswdProblem>> reload();  // warnings

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool contains(std::string_view user) const;

  // Whether `password` was found right less than a minute ago. Cheap: ask before anything that
  // holds logins back.
  [[nodiscard]] bool is_remembered(std::string_view user, const Secret& password) const;

  // Whether it is right. TooManyRequests when too many are being checked. False at once for a
  // password of more than 72 bytes, which bcrypt would cut, as a JWT that is sent as a password.
  // `is_held_back` is asked when the check's turn has come; where it says so, there is none (the
  // attack: as many guesses as may wait, all sent before the first has failed).
  using HeldBack = std::function<bool()>;
  async::Task<Result<bool>> check(std::string user, Secret password, HeldBack is_held_back = {});

 private:
  using Flight = upstream::SingleFlight<bool>;
  class Boarding;

  // One question.
  struct Question {
    BcryptHash hash;  // the user's, or nobody's
    bool is_known = false;
    Fingerprint fingerprint;
  };

  [[nodiscard]] Question question_of(std::string_view user, const Secret& password) const;
  async::Task<Result<bool>> compute(const Question& question, const Secret& password,
                                    SteadyTime deadline, const HeldBack& is_held_back);
  [[nodiscard]] bool is_remembered(const Fingerprint& fingerprint) const;
  void remember(const Fingerprint& fingerprint);

  const std::string path_;
  const Clock& clock_;
  async::BlockingPool& pool_;
  const KeyedHash keyed_hash_;
  WaitingLine line_{kAtOnce, kMaxWaiting};

  // A snapshot of the file, with the hash that unknown users are checked against.
  struct Known {
    HtpasswdFile file;
    BcryptHash nobody;
  };

  mutable std::mutex mutex_;
  std::shared_ptr<const Known> known_;
  std::unordered_map<Fingerprint, std::shared_ptr<Flight>, FingerprintHash> flights_;
  std::unordered_map<Fingerprint, SteadyTime, FingerprintHash> good_until_;
  std::deque<std::pair<SteadyTime, Fingerprint>> by_age_;  // as good_until_, oldest first
};

}  // namespace fairlead::auth
