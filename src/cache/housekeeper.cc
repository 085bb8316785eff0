// SPDX-License-Identifier: Apache-2.0
#include "cache/housekeeper.h"

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include "cache/reconcile.h"

namespace fairlead::cache {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

// After a run that had nothing to remove.
constexpr seconds kPauseInVain{10};

// How often what is too old is looked for.
milliseconds interval_of(milliseconds max_age) {
  if (max_age.count() == 0) return 1min;
  return std::clamp<milliseconds>(max_age / 4, 100ms, 1min);
}

}  // namespace

Housekeeper::Housekeeper(Services& services, const CacheOptions& options)
    : services_(services),
      options_(options),
      evictor_(services.index, services.bookkeeper,
               {.max_bytes = options.max_size,
                .max_age = std::chrono::ceil<seconds>(options.max_age),
                .keep = options.keep},
               services.clock, services.log),
      scrubber_(services.index, services.store, services.bookkeeper,
                {.period = std::max<seconds>(1s, std::chrono::ceil<seconds>(options.scrub))},
                services.clock, services.log) {
  services.space.limit().set(options.max_size);
}

void Housekeeper::start(const async::Executor& executor) {
  services_.tasks.spawn(executor, keep_limits());
  services_.tasks.spawn(executor, reconcile_and_scrub());
}

void Housekeeper::stop() {
  stop_.request_stop();
  services_.space.changed().notify_all();
  stopped_.notify_all();
}

// Errors are in the log; the next run tries again.
void Housekeeper::make_room() {
  std::uint64_t wanted = services_.space.take_wanted();
  // What nobody has pulled yet goes first.
  if (wanted > 0 && services_.uploads != nullptr) {
    wanted -= std::min(wanted, services_.uploads->make_room(wanted));
  }
  // What is larger than all that is stored would cost all of it, and might still not fit.
  if (wanted > 0 && wanted <= services_.index.totals().bytes) {
    std::ignore = evictor_.make_room(wanted, stop_.get_token());
  }
  const SteadyTime now = services_.clock.steady();
  const bool is_over = options_.max_size > 0 && services_.index.totals().bytes > options_.max_size;
  // A run looks at all there is: for age alone, it is not made after every fill.
  const bool is_aging_due = options_.max_age.count() > 0 && now >= next_aging_;
  if (!is_aging_due && !(is_over && now >= next_run_)) return;
  const auto evicted = evictor_.run(stop_.get_token());
  next_aging_ = now + interval_of(options_.max_age);
  // All that is left is in use or kept: looking again after every fill would find the same.
  const bool was_in_vain = is_over && (!evicted || evicted->contents == 0);
  next_run_ = was_in_vain ? now + kPauseInVain : now;
}

async::Task<> Housekeeper::keep_limits() {
  const milliseconds interval = interval_of(options_.max_age);
  for (;;) {
    const auto seen = services_.space.changed().version();
    if (stop_.stop_requested()) break;
    auto work = [this] {
      if (services_.uploads != nullptr) services_.uploads->drop_idle();
      make_room();
      return true;
    };
    co_await services_.pool.run(work);
    co_await services_.space.changed().wait(seen, std::chrono::steady_clock::now() + interval);
  }
}

void Housekeeper::reconcile_all() {
  const auto result = reconcile(services_.index, services_.store, services_.bookkeeper,
                                services_.log, stop_.get_token());
  if (!result) {
    services_.log.warn("cannot compare the cache's files with its index",
                       {{"error", result.error().context}});
  }
}

void Housekeeper::log_round() {
  const ScrubCounts& now = scrubber_.counts();
  if (now.contents == scrubbed_.contents) return;
  services_.log.info("all content was read and checked",
                     {{"contents", static_cast<std::int64_t>(now.contents - scrubbed_.contents)},
                      {"damaged", static_cast<std::int64_t>(now.damaged - scrubbed_.damaged)}});
  scrubbed_ = now;
}

async::Task<> Housekeeper::reconcile_and_scrub() {
  auto work = [this] {
    reconcile_all();
    services_.space.grew();
    return true;
  };
  co_await services_.pool.run(work);

  while (options_.scrub.count() > 0) {
    const auto seen = stopped_.version();
    if (stop_.stop_requested()) break;
    const std::uint64_t rounds = scrubber_.rounds();
    auto step = [this] { return scrubber_.step(stop_.get_token()); };
    const auto pause = co_await services_.pool.run(step);
    if (scrubber_.rounds() != rounds) log_round();
    co_await stopped_.wait(seen, std::chrono::steady_clock::now() + pause);
  }
}

}  // namespace fairlead::cache
