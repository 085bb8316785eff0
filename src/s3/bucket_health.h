// SPDX-License-Identifier: Apache-2.0
// BucketHealth: whether a bucket does its work, as its last answers told, for /ready and the log;
// and whether asking it now is of any use.
//
// A bucket that did not answer (Unavailable, Timeout, TooManyRequests) is left alone for kRest;
// then one question goes through, and all others again when that was answered. What it refuses
// (credentials, clock, no such bucket) is trouble as well, but each question is asked: it may be
// mended any time. What the credentials do not suffice for (Denied) is trouble until that very
// permission was seen to suffice: a bucket that is read well may still take no writes.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "telemetry/log.h"

namespace fairlead::s3 {

// Thread-safe. One for each bucket, shared by all workers.
class BucketHealth {
 public:
  static constexpr std::chrono::seconds kRest{5};
  // A question that was let through after the rest and never came back holds the others so long.
  static constexpr std::chrono::seconds kProbe{30};
  // The same trouble so soon after its end is not logged again.
  static constexpr std::chrono::seconds kQuiet{60};

  // `what`: "the bucket zot", for the log. Both must outlive it.
  BucketHealth(std::string what, const Clock& clock, telemetry::Log& log);

  // Whether to ask now; else what to answer instead: what it last said. Who may ask after a rest
  // has kProbe to note() what came of it.
  Result<void> admit();

  // What came of a question that needs `permission` (a literal: "s3:GetObject"). NotFound and
  // TooLarge say that it is well, but for NotFound after InvalidArgument: of a HEAD it may be the
  // bucket itself that is not there. Cancelled, and errors of ours, say nothing.
  void note(std::string_view permission, const Result<void>& outcome);

  // In words, for people: why it does not do its work; nullopt: it does, or was never asked.
  [[nodiscard]] std::optional<std::string> trouble() const;

  // Whether nothing is known that keeps it from being read. Cheap.
  [[nodiscard]] bool is_well() const { return is_well_.load(std::memory_order_relaxed); }

 private:
  void note_answer(std::string_view permission, const Result<void>& outcome);
  void note_trouble(std::string_view permission, const Error& error);
  [[nodiscard]] const Error* any_trouble() const;

  const std::string what_;
  const Clock& clock_;
  telemetry::Log& log_;
  std::atomic<bool> is_well_ = true;
  mutable std::mutex mutex_;                  // all below
  std::optional<Error> trouble_;              // but for Denied,
  std::map<std::string_view, Error> denied_;  // that is here, by permission
  std::optional<SteadyTime> resting_until_;
  std::optional<SteadyTime> probing_until_;  // one question is out, after the rest
  bool is_told_ = false;                     // that there is trouble, in the log
  std::string told_;                         // the words of the last that was
  std::optional<SteadyTime> ended_at_;       // the last trouble
};

}  // namespace fairlead::s3
