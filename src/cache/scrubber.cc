// SPDX-License-Identifier: Apache-2.0
#include "cache/scrubber.h"

#include <algorithm>
#include <random>
#include <string_view>
#include <utility>

#include "cache/fingerprint.h"

namespace fairlead::cache {
namespace {

constexpr std::uint64_t kStepBytes = 1 << 20;

// What opening a content costs, counted as bytes, so that many small ones are no burst.
constexpr std::uint64_t kOpenCost = 16 * 1024;

// Of one look through the index.
constexpr std::size_t kListed = 4096;

// What SteadyTime can tell, by far.
constexpr std::chrono::seconds kMaxPeriod = std::chrono::years(10);

constexpr std::chrono::milliseconds kMaxPause = std::chrono::minutes(1);

std::uint64_t any_start() {
  std::random_device random;
  return std::uniform_int_distribution<std::uint64_t>()(random);
}

void log_failure(telemetry::Log& log, const oci::Digest& digest, const Error& error) {
  log.warn("cannot check stored content", {{"content", std::string_view(digest.str())},
                                           {"error", std::string_view(error.context)}});
}

// Counts and, where needed, removes what `check` came to.
void settle(const ContentCheck& check, Verdict verdict, Bookkeeper& bookkeeper, telemetry::Log& log,
            ScrubCounts& counts) {
  ++counts.contents;
  if (verdict == Verdict::Sound) return;
  if (const auto removed = check.remove(bookkeeper, log); removed) {
    ++counts.damaged;
  } else {
    ++counts.failed;
    log_failure(log, check.digest(), removed.error());
  }
}

}  // namespace

Scrubber::Scrubber(const index::Index& index, store::BlobStore& store, Bookkeeper& bookkeeper,
                   const ScrubOptions& options, const Clock& clock, telemetry::Log& log)
    : index_(index),
      store_(store),
      bookkeeper_(bookkeeper),
      period_(std::clamp(options.period, std::chrono::seconds(1), kMaxPeriod)),
      min_pace_(std::max<std::uint64_t>(options.min_pace, 1)),
      clock_(clock),
      log_(log),
      start_(any_start()),
      buffer_(kStepBytes) {}

std::chrono::milliseconds Scrubber::step(const std::stop_token& stop) {
  const SteadyTime now = clock_.steady();
  if (!resume_at_) {
    resume_at_ = now;
    round_began_ = now;
  }
  if (now >= *resume_at_) {
    // What was missed is made up for, but not as a burst after a long sleep.
    *resume_at_ = std::max(*resume_at_, now - kMaxPause) + time_for(work(stop));
    if (std::exchange(is_round_complete_, false)) {
      *resume_at_ = std::max(*resume_at_, round_began_ + period_);
      round_began_ = *resume_at_;
    }
  }
  const auto pause = std::chrono::ceil<std::chrono::milliseconds>(*resume_at_ - clock_.steady());
  return std::clamp(pause, std::chrono::milliseconds(0), kMaxPause);
}

// One step's worth; what it cost.
std::uint64_t Scrubber::work(const std::stop_token& stop) {
  std::uint64_t cost = 0;
  while (cost < kStepBytes && !stop.stop_requested()) {
    if (!current_) {
      if (!begin_next()) {
        is_round_complete_ = true;
        ++rounds_;
        reached_.reset();
        break;
      }
      cost += kOpenCost;
    }
    if (current_) cost += check_piece(kStepBytes - std::min(cost, kStepBytes - 1));
  }
  return cost;
}

// False: the round is complete. True without `current_`: one that is gone or cannot be opened.
bool Scrubber::begin_next() {
  if (next_.empty()) list_next();
  if (next_.empty()) return false;
  const oci::Digest digest = std::move(next_.back());
  next_.pop_back();
  auto check = ContentCheck::begin(store_, digest);
  if (check) {
    current_ = std::move(*check);
  } else {
    ++counts_.failed;
    log_failure(log_, digest, check.error());
  }
  return true;
}

std::uint64_t Scrubber::check_piece(std::uint64_t budget) {
  // Evicted meanwhile: its space is free only when nobody has the file open any more.
  if (const auto row = index_.content(current_->digest()); !row || !row->is_stored) {
    current_.reset();
    return 0;
  }
  const std::uint64_t before = current_->bytes_read();
  const auto verdict = current_->advance(index_, MutableByteView(buffer_).first(budget));
  const std::uint64_t read = current_->bytes_read() - before;
  counts_.bytes += read;
  if (verdict) {
    settle(*current_, *verdict, bookkeeper_, log_, counts_);
    current_.reset();
  }
  return read;
}

// How far behind the start of the round, going round.
std::uint64_t Scrubber::distance(const oci::Digest& digest) const {
  return fingerprint(digest) - start_;
}

void Scrubber::list_next() {
  std::vector<std::pair<std::uint64_t, oci::Digest>> nearest;  // a heap, the farthest on top
  index_.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo&) {
    const std::uint64_t away = distance(digest);
    if (reached_ && away <= *reached_) return;
    if (nearest.size() == kListed) {
      if (away >= nearest.front().first) return;
      std::ranges::pop_heap(nearest);
      nearest.pop_back();
    }
    nearest.emplace_back(away, digest);
    std::ranges::push_heap(nearest);
  });
  if (nearest.empty()) return;
  reached_ = nearest.front().first;
  std::ranges::sort(nearest, std::ranges::greater());
  for (auto& [away, digest] : nearest) next_.push_back(std::move(digest));
}

std::chrono::milliseconds Scrubber::time_for(std::uint64_t cost) const {
  const auto totals = index_.totals();
  const auto all = static_cast<double>(totals.bytes) +
                   static_cast<double>(totals.contents) * static_cast<double>(kOpenCost);
  const double pace =
      std::max(static_cast<double>(min_pace_), all / static_cast<double>(period_.count()));
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(cost) * 1000 / pace));
}

}  // namespace fairlead::cache
