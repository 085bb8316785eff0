// SPDX-License-Identifier: Apache-2.0
// BucketHealth: whether a bucket does its work, as its last answers told, for /ready and the log;
// and whether asking it now is of any use.
//
// A bucket that did not answer (Unavailable, Timeout, TooManyRequests) is left alone for kRest;
// then one question goes through, and all others again when that was answered. What it refuses
// (credentials, clock, no such bucket) is trouble as well, but each question is asked: it may be
// mended any time.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "telemetry/log.h"

namespace fairlead::s3 {

// Thread-safe. One for each bucket, shared by all workers.
class BucketHealth {
 public:
  static constexpr std::chrono::seconds kRest{5};
  // The same trouble so soon after its end is not logged again.
  static constexpr std::chrono::seconds kQuiet{60};

  // `what`: "the bucket zot", for the log. Both must outlive it.
  BucketHealth(std::string what, const Clock& clock, telemetry::Log& log);

  // Whether to ask now; else what to answer instead: Unavailable, with what it last said.
  Result<void> admit();

  // What came of a question. NotFound and TooLarge say that it is well, but for NotFound after
  // InvalidArgument: of a HEAD it may be the bucket itself that is not there. Cancelled says
  // nothing.
  void note(const Result<void>& outcome);

  // In words, for people: why it does not do its work; nullopt: it does, or was never asked.
  [[nodiscard]] std::optional<std::string> trouble() const;

 private:
  const std::string what_;
  const Clock& clock_;
  telemetry::Log& log_;
  mutable std::mutex mutex_;  // all below
  std::optional<Error> trouble_;
  std::optional<SteadyTime> resting_until_;
  bool is_told_ = false;                // trouble_, in the log
  std::string told_;                    // the words of the last that was
  std::optional<SteadyTime> ended_at_;  // the last trouble
};

}  // namespace fairlead::s3
